//! What a process may use up.
//!
//! Memory, processor time, processes and file size are limits of the system (`setrlimit`), which a process hands down to
//! those that it starts and cannot raise. They must be set in the new process before its program begins, and doing that
//! in the middle of starting one needs code that this project forbids. So the program that is started is this one again:
//! it sets its own limits and then becomes the other ([`become_program`]).

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt as _,
    process::Command,
    time::Duration,
};

use rustix::{
    process::{Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit},
    thread::set_no_new_privs,
};
use serde::{Deserialize, Serialize};

use crate::OUTPUT_LIMIT;

/// Addresses beyond its memory that a process may reserve or share, in bytes.
const ROOM: u64 = 4 * 1024 * 1024 * 1024;

/// What a process may use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of its own that each process may have, in bytes.
    pub memory: u64,
    /// Time of a processor that each process may use, in whole seconds.
    pub processor_time: Duration,
    /// Processes of the runner's user at once. Only counted where that user is another one than the server's.
    pub processes: u64,
    /// The largest file that may be written, in bytes.
    pub file_size: u64,
    /// How long it may take, whatever it does meanwhile.
    pub time: Duration,
    /// What may be written to standard output, and as much to standard error, in bytes.
    pub output: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 512 * 1024 * 1024,
            processor_time: Duration::from_mins(1),
            processes: 256,
            file_size: 64 * 1024 * 1024,
            time: Duration::from_mins(5),
            output: OUTPUT_LIMIT,
        }
    }
}

/// The limits of the system, as they are handed to the process that sets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SystemLimits {
    memory: u64,
    processor_seconds: u64,
    processes: Option<u64>,
    file_size: u64,
}

impl SystemLimits {
    /// `own_user`: whether nobody else's processes count.
    pub(crate) fn of(limits: &Limits, own_user: bool) -> Self {
        Self {
            memory: limits.memory,
            processor_seconds: limits.processor_time.as_secs().max(1),
            processes: own_user.then_some(limits.processes),
            file_size: limits.file_size,
        }
    }

    /// As an argument of a command.
    pub(crate) fn to_argument(self) -> OsString {
        // Numbers always have a form in JSON.
        serde_json::to_string(&self).unwrap_or_default().into()
    }

    fn set(self) -> io::Result<()> {
        // The narrow limit is on what a process alone can write to. What it shares does not count there, and what it
        // reserves without using it, as JavaScript engines do, counts among its addresses: those have a wide limit.
        lower(Resource::Data, self.memory, self.memory)?;
        let addresses = self.memory.saturating_add(ROOM);
        lower(Resource::As, addresses, addresses)?;
        // At the soft limit the process gets a signal that tells why it ends.
        lower(Resource::Cpu, self.processor_seconds, self.processor_seconds + 1)?;
        lower(Resource::Fsize, self.file_size, self.file_size)?;
        lower(Resource::Core, 0, 0)?;
        if let Some(processes) = self.processes {
            lower(Resource::Nproc, processes, processes)?;
        }
        Ok(())
    }
}

/// Lowers a limit; what is lower already stays.
fn lower(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let known = getrlimit(resource);
    let least = |known: Option<u64>, wanted: u64| Some(known.map_or(wanted, |known| known.min(wanted)));
    let maximum = least(known.maximum, hard);
    let current = least(known.current, soft).min(maximum);
    setrlimit(resource, Rlimit { current, maximum }).map_err(Into::into)
}

/// Takes the limits, gives all ways to more rights up, and becomes the program. Returns only if that fails.
pub(crate) fn become_program(limits: &OsStr, command: &[OsString]) -> io::Error {
    let become_it = || -> io::Result<io::Error> {
        let limits: SystemLimits = serde_json::from_slice(limits.as_encoded_bytes())?;
        let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        // If the guard is killed, nobody else would end this.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        set_no_new_privs(true)?;
        limits.set()?;
        Ok(Command::new(program).args(arguments).exec())
    };
    become_it().unwrap_or_else(|error| error)
}
