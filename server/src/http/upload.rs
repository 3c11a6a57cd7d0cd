//! Files that are sent: as parts of a form, or as one archive.

use axum::{
    body::Bytes,
    extract::{FromRequest, Multipart, Request},
    http::header,
};
use domain::{ErrorCode, Problem};
use service::DefinitionFile;

use super::{Portal, problem::Rejection, rest::essence};

/// What an archive that came without a name is called.
const ARCHIVE: &str = "archive.tar";

/// Definitions and archives of such, in the order in which they were sent. They stay in memory, within the limit of bodies.
pub(super) struct SentFiles(pub(super) Vec<DefinitionFile>);

impl FromRequest<Portal> for SentFiles {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &Portal) -> Result<Self, Self::Rejection> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        match essence(media_type.unwrap_or_default()).as_str() {
            "multipart/form-data" => {
                let form = Multipart::from_request(request, state).await.map_err(|cause| unreadable(&cause))?;
                parts(form).await.map(Self)
            }
            "application/x-tar" => {
                let content = Bytes::from_request(request, state).await.map_err(|cause| unreadable(&cause))?;
                Ok(Self(vec![DefinitionFile { path: ARCHIVE.to_owned(), content: content.into() }]))
            }
            _ => {
                let detail = "send files as multipart/form-data, or one archive as application/x-tar";
                Err(Problem::new(ErrorCode::UnsupportedMediaType).with_detail(detail).into())
            }
        }
    }
}

async fn parts(mut form: Multipart) -> Result<Vec<DefinitionFile>, Rejection> {
    let mut files = Vec::new();
    while let Some(part) = form.next_field().await.map_err(|cause| unreadable(&cause))? {
        let Some(path) = part.file_name().map(ToOwned::to_owned) else {
            let detail = "each part of the form must be a file, with its name";
            return Err(Problem::new(ErrorCode::BadRequest).with_detail(detail).into());
        };
        let content = part.bytes().await.map_err(|cause| unreadable(&cause))?;
        // A form in which no file was chosen has one without name and content.
        if !(path.is_empty() && content.is_empty()) {
            files.push(DefinitionFile { path, content: content.into() });
        }
    }
    Ok(files)
}

fn unreadable(cause: &impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::BadRequest).with_detail(format!("the files cannot be read: {cause}"))
}
