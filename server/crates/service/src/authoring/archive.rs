//! Tar archives of definitions. What somebody sends is only read from memory: nothing of it is unpacked anywhere, so no path,
//! link or size in it can do harm.

use std::io::{self, Read as _};

use tar::{Archive, EntryType};

use super::TEXT_LIMIT;

/// Where the mark of the format stands, and what it is.
const MARK: (usize, &[u8]) = (257, b"ustar");

/// A file with the name of a definition: its content, or why it has none.
pub(super) struct Member {
    /// As the archive has it, but for a `./` at its beginning, which `tar` writes.
    pub(super) path: String,
    pub(super) content: Result<Vec<u8>, &'static str>,
}

/// Whether a file is a definition by its path: it ends in `.yaml`, `.yml` or `.json`, and neither it nor a folder around it is
/// hidden (`.github/workflows/test.yml`, `._greet.yaml`). Others may lie beside definitions; they are passed over.
#[must_use]
pub fn is_definition_file(path: &str) -> bool {
    let hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
    has_ending(path, &["yaml", "yml", "json"]) && !path.split('/').any(hidden)
}

pub(super) fn has_ending(path: &str, endings: &[&str]) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| endings.iter().any(|ending| found.eq_ignore_ascii_case(ending)))
}

/// Whether this is an archive, by its name or its content.
pub(super) fn is_archive(path: &str, content: &[u8]) -> bool {
    let (place, mark) = MARK;
    has_ending(path, &["tar"]) || content.get(place..).is_some_and(|rest| rest.starts_with(mark))
}

/// The definitions of an archive in its order, at most `most` of them; an error if it is none, or was cut off.
pub(super) fn members(archive: &[u8], most: usize) -> io::Result<Vec<Member>> {
    let mut members = Vec::new();
    for entry in Archive::new(archive).entries()? {
        let entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
        if !is_definition_file(&path) {
            continue;
        }
        let content = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => text(entry)?,
            EntryType::Link | EntryType::Symlink => Err("this is a link, not a file"),
            _ => continue,
        };
        members.push(Member { path, content });
        if members.len() == most {
            break;
        }
    }
    Ok(members)
}

fn text(entry: impl io::Read) -> io::Result<Result<Vec<u8>, &'static str>> {
    let mut text = Vec::new();
    // A byte more shows that it is too large, whatever size the archive claims.
    entry.take(TEXT_LIMIT as u64 + 1).read_to_end(&mut text)?;
    Ok(if text.len() > TEXT_LIMIT { Err("a definition has at most 1 MiB") } else { Ok(text) })
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;
    use crate::packing::Packing;

    fn archive(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = Header::new_gnu();
            // Past the library's own care for paths.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn told(archive: &[u8]) -> Vec<(String, Result<String, &'static str>)> {
        let members = members(archive, 100).unwrap().into_iter();
        members.map(|member| (member.path, member.content.map(|text| String::from_utf8(text).unwrap()))).collect()
    }

    #[test]
    fn definitions_are_known_by_their_names() {
        for path in ["a.yaml", "it/a.YML", "./it/a.json", "../a.yaml", "/etc/a.yaml"] {
            assert!(is_definition_file(path), "{path}");
        }
        for path in ["README.md", "yaml", "a.yaml.bak", ".github/workflows/a.yml", "it/._a.yaml", "a.tar", ""] {
            assert!(!is_definition_file(path), "{path}");
        }
    }

    #[test]
    fn what_is_packed_is_found_again_and_packed_alike() {
        let pack = || {
            let mut packing = Packing::begin(0);
            packing.add("it/hello.yaml", b"hello").unwrap();
            packing.add(&format!("it/{}.json", "long".repeat(40)), b"{}").unwrap();
            let mut whole = packing.take();
            whole.extend(packing.end().unwrap());
            whole
        };
        let packed = pack();
        assert!(is_archive("", &packed) && packed == pack());
        let long = format!("it/{}.json", "long".repeat(40));
        assert_eq!(told(&packed), [("it/hello.yaml".to_owned(), Ok("hello".to_owned())), (long, Ok("{}".to_owned()))]);
    }

    #[test]
    fn only_files_are_read_and_no_path_leads_anywhere() {
        let hostile = archive(&[
            ("it/", EntryType::Directory, b""),
            ("folder.yaml", EntryType::Directory, b""),
            ("README.md", EntryType::Regular, b"words"),
            ("../../up.yaml", EntryType::Regular, b"up"),
            ("/root.yaml", EntryType::Regular, b"root"),
            ("link.yaml", EntryType::Symlink, b""),
            ("hard.yaml", EntryType::Link, b""),
            ("device.yaml", EntryType::Char, b""),
            ("./it/here.yaml", EntryType::Regular, b"here"),
        ]);
        let link = "this is a link, not a file";
        let expected = [
            ("../../up.yaml", Ok("up".to_owned())),
            ("/root.yaml", Ok("root".to_owned())),
            ("link.yaml", Err(link)),
            ("hard.yaml", Err(link)),
            ("it/here.yaml", Ok("here".to_owned())),
        ];
        assert_eq!(told(&hostile), expected.map(|(path, content)| (path.to_owned(), content)));
    }

    #[test]
    fn sizes_that_are_claimed_are_not_believed() {
        let mut large = archive(&[("large.yaml", EntryType::Regular, &vec![b'#'; TEXT_LIMIT + 1])]);
        assert_eq!(told(&large), [("large.yaml".to_owned(), Err("a definition has at most 1 MiB"))]);
        large.truncate(4096);
        assert!(members(&large, 100).is_err(), "it was cut off");
        for size in ["77777777777", "00000100000"] {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..6].copy_from_slice(b"a.yaml");
            header.as_old_mut().size[..11].copy_from_slice(size.as_bytes());
            header.set_cksum();
            assert!(members(header.as_bytes(), 100).is_err(), "{size}");
        }
        assert!(members(&[7; 2048], 100).is_err(), "it is none");
        assert!(members(b"", 100).unwrap().is_empty());
    }

    #[test]
    fn no_more_are_read_than_asked_for() {
        let many = archive(&[("a.yaml", EntryType::Regular, b"a".as_slice()); 5]);
        assert_eq!(members(&many, 3).unwrap().len(), 3);
    }
}
