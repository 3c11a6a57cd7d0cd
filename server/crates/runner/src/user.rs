//! The user that processes belong to.

use std::{
    fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};

/// A user with one group. Supplementary groups are left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    uid: u32,
    gid: u32,
}

/// A user that processes cannot belong to.
#[derive(Debug, thiserror::Error)]
pub enum UnknownUser {
    /// There is none such.
    #[error("the user “{0}” is not in /etc/passwd, or its group not in /etc/group")]
    Unknown(String),
    /// It is root, who has all rights.
    #[error("the user “{0}” is root, to whom no process of a workflow may belong")]
    Root(String),
    /// The lists of users cannot be read.
    #[error("the list of users cannot be read: {0}")]
    System(#[source] io::Error),
}

impl User {
    /// The user of this machine with this name (`nobody`) or these numbers (`65534:65534`). `NAME:GROUP` means another
    /// group than the user's first.
    pub fn find(text: &str) -> Result<Self, UnknownUser> {
        let read = |path: &str| fs::read_to_string(path).map_err(UnknownUser::System);
        let unknown = || UnknownUser::Unknown(text.to_owned());
        let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
        let by_number = |text: &str| text.parse::<u32>().ok();
        let known = by_name(&read("/etc/passwd")?, name);
        let uid = by_number(name).or(known.map(|(uid, _)| uid)).ok_or_else(unknown)?;
        let gid = match group {
            Some(group) => match by_number(group) {
                Some(gid) => gid,
                None => by_name(&read("/etc/group")?, group).map(|(gid, _)| gid).ok_or_else(unknown)?,
            },
            None => known.map(|(_, gid)| gid).ok_or_else(unknown)?,
        };
        if uid == 0 || gid == 0 {
            return Err(UnknownUser::Root(text.to_owned()));
        }
        Ok(Self { uid, gid })
    }

    /// Has a command belong to this user.
    pub(crate) fn own(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Has a file or directory belong to this user.
    pub(crate) fn take(self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
    }

    /// The user's own directory, where there is one.
    pub(crate) fn home(self) -> Option<PathBuf> {
        let passwd = fs::read_to_string("/etc/passwd").ok()?;
        let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(self.uid.to_string().as_str()))?;
        line.split(':').nth(5).map(PathBuf::from)
    }

    /// Where the sockets of programs are that run for this user.
    pub(crate) fn runtime_folder(self) -> PathBuf {
        PathBuf::from(format!("/run/user/{}", self.uid))
    }
}

/// The numbers in the third and fourth field of the line that begins with this name; a group has no second number.
fn by_name(list: &str, name: &str) -> Option<(u32, u32)> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let number = |field: Option<&str>| field.and_then(|text| text.parse().ok());
        (fields.next() == Some(name)).then_some(())?;
        let first = number(fields.nth(1))?;
        Some((first, number(fields.next()).unwrap_or(first)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/usr/sbin/nologin\n";
        assert_eq!(by_name(passwd, "nobody"), Some((65534, 65533)));
        assert_eq!(by_name(passwd, "nob"), None);
        assert_eq!(by_name("docker:x:998:ada\n", "docker"), Some((998, 998)));
        assert_eq!(User::find("1000:1001").unwrap(), User { uid: 1000, gid: 1001 });
    }

    #[test]
    fn root_is_no_user_for_processes() {
        for text in ["root", "0:1000", "1000:0"] {
            assert!(matches!(User::find(text), Err(UnknownUser::Root(_))), "{text}");
        }
        assert!(matches!(User::find("nobody-of-this-name"), Err(UnknownUser::Unknown(_))));
    }
}
