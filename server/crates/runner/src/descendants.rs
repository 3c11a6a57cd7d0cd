//! The descendants of this process. One that has asked for it adopts those whose parents have ended, so that none gets
//! away by leaving its process group.

use std::{fs, io};

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait},
};

/// Asks for all descendants to be adopted when their parents end.
pub(crate) fn adopt() -> io::Result<()> {
    set_child_subreaper(Some(getpid())).map_err(Into::into)
}

/// Kills all descendants, and waits until the last has ended.
///
/// A descendant becomes a child at the latest when those between have ended, so it is enough to kill children until there
/// are none. Whoever waits for a child by its own means must have done so before.
pub(crate) fn end() {
    loop {
        for child in children() {
            // An error says that it has ended by itself.
            let _ = kill_process(child, Signal::KILL);
        }
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            // None is left.
            Err(_) => return,
        }
    }
}

fn children() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().to_string();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let is_child = |stat: &str| {
        // The name, in parentheses, may hold anything.
        stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(1)).is_some_and(|parent| parent == own)
    };
    entries
        .flatten()
        .filter(|entry| fs::read_to_string(entry.path().join("stat")).is_ok_and(|stat| is_child(&stat)))
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}
