//! Runners on a machine with an address of its own: killed, cut off and started anew under load, and their server likewise.

use std::{
    io::{Read as _, Write as _},
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use super::{FarRunner, Field, enrol, until_told};
use crate::server::{complaint, rest_of};

/// Long enough for a runner to be heard of again within it after every cut that nothing may be lost by.
const LEASE: &str = "PT6S";
/// How long such a cut is, in milliseconds.
const CUT: std::ops::RangeInclusive<u64> = 200..=1_500;
/// Tasks that a runner has at once.
const CAPACITY: usize = 4;
/// Tasks launched before each blow.
const WAVE: usize = 10;

/// Marks its beginning and its end, and takes up to a second between.
fn brief(folder: &Path) -> String {
    let folder = folder.display();
    format!("echo begun >> {folder}/$1.begun; sleep 0.$(expr $$ % 10); echo done >> {folder}/$1.done")
}

/// A network namespace, joined to this one by a wire. It goes with its last process, whatever becomes of this one.
struct Machine {
    holder: Child,
    device: String,
    /// The address at this end of the wire.
    here: Ipv4Addr,
}

impl Machine {
    /// None, with a message, where there can be none.
    fn set_up() -> Option<Self> {
        let programs = ["unshare", "nsenter", "setpriv", "ip", "nft"];
        if let Some(missing) = programs.into_iter().find(|program| Command::new(program).arg("-V").output().is_err()) {
            eprintln!("SKIPPED: {missing} is missing, so no runner was cut off; run scripts/setup test");
            return None;
        }
        let mut holder = Command::new("unshare");
        holder.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = holder.spawn().unwrap();
        // What it says again it says in its namespace; one that could not be made ends before.
        let _ = holder.stdin.as_mut().unwrap().write_all(b"\n");
        if holder.stdout.as_mut().unwrap().read(&mut [0]).unwrap() == 0 {
            let why = rest_of(&mut holder);
            eprintln!(
                "SKIPPED: no network namespace can be made here, so no runner was cut off; run this as root: {why}"
            );
            holder.wait().unwrap();
            return None;
        }
        let [third, fourth, ..] = rand::random::<u32>().to_be_bytes();
        let first = fourth & !3;
        let (here, there) = (Ipv4Addr::new(198, 18, third, first | 1), Ipv4Addr::new(198, 18, third, first | 2));
        let machine = Self { holder, device: format!("rondo{:08x}", rand::random::<u32>()), here };
        let (device, id) = (machine.device.as_str(), machine.holder.id().to_string());
        ip(&["link", "add", device, "type", "veth", "peer", "name", "wire", "netns", &id]);
        ip(&["addr", "add", &format!("{here}/30"), "dev", device]);
        ip(&["link", "set", device, "up"]);
        machine.ip(&["addr", "add", &format!("{there}/30"), "dev", "wire"]);
        machine.ip(&["link", "set", "wire", "up"]);
        Some(machine)
    }

    /// The same command there. It ends with the test.
    fn there(&self, command: &Command) -> Command {
        let mut there = Command::new("nsenter");
        there.arg(format!("--net=/proc/{}/ns/net", self.holder.id())).args(["setpriv", "--pdeathsig", "KILL"]);
        there.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => there.env(name, value),
                None => there.env_remove(name),
            };
        }
        there
    }

    fn ip(&self, arguments: &[&str]) {
        done(&mut self.there(Command::new("ip").args(arguments)));
    }

    fn nft(&self, rules: &str) {
        done(&mut self.there(Command::new("nft").arg(rules)));
    }

    /// Pulls the wire out, or puts it back.
    fn set_wire(&self, state: &str) {
        self.ip(&["link", "set", "wire", state]);
    }

    /// Nothing arrives any more, and nobody is told so.
    fn fall_silent(&self) {
        self.nft(
            "add table inet way; \
             add chain inet way in { type filter hook input priority 0; policy drop; }; \
             add chain inet way out { type filter hook output priority 0; policy drop; }",
        );
    }

    fn speak_again(&self) {
        self.nft("delete table inet way");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Errors only say that it has gone already.
        let _ = Command::new("ip").args(["link", "delete", &self.device]).output();
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(arguments: &[&str]) {
    done(Command::new("ip").args(arguments));
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", complaint(&output));
}

/// A runner on the machine elsewhere, and what is needed to start it again.
struct Place {
    name: &'static str,
    token: String,
    folder: TempDir,
    runner: Option<FarRunner>,
}

impl Place {
    async fn of(name: &'static str, field: &Field) -> Self {
        let token = match name {
            "far-1" => field.token.clone(),
            name => enrol(field.server(), &field.admin, name).await,
        };
        Self { name, token, folder: tempfile::tempdir().unwrap(), runner: None }
    }

    fn start(&mut self, machine: &Machine, server: &str) {
        let command = FarRunner::command(server, &self.token, &self.folder);
        self.runner = Some(FarRunner::spawn(machine.there(&command), &self.folder));
    }

    fn log(&self) -> String {
        self.runner.as_ref().map(FarRunner::log).unwrap_or_default()
    }
}

/// What befalls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    RunnerKilled,
    RunnerStopped,
    WireOut,
    Silence,
    ServerKilled,
    ServerStopped,
    ServerKilledInSilence,
    RunnerKilledInSilence,
}

impl Blow {
    const ALL: [Self; 8] = [
        Self::RunnerKilled,
        Self::RunnerStopped,
        Self::WireOut,
        Self::Silence,
        Self::ServerKilled,
        Self::ServerStopped,
        Self::ServerKilledInSilence,
        Self::RunnerKilledInSilence,
    ];

    /// Whether a process that was begun may be gone with its runner.
    fn kills_a_runner(self) -> bool {
        matches!(self, Self::RunnerKilled | Self::RunnerKilledInSilence)
    }

    async fn strike(self, field: &mut Field, machine: &Machine, place: &mut Place, cut: Duration) {
        let url = field.server().url.clone();
        match self {
            Self::RunnerKilled => {
                place.runner.take().unwrap().kill();
                place.start(machine, &url);
            }
            Self::RunnerStopped => {
                let mut runner = place.runner.take().unwrap();
                runner.terminate();
                assert!(runner.ended().await.success(), "{}", runner.log());
                place.start(machine, &url);
            }
            Self::WireOut => {
                machine.set_wire("down");
                sleep(cut).await;
                machine.set_wire("up");
            }
            Self::Silence => {
                machine.fall_silent();
                sleep(cut).await;
                machine.speak_again();
            }
            Self::ServerKilled => field.kill_server(),
            Self::ServerStopped => {
                let (data, status) = field.server.take().unwrap().stop();
                assert!(status.success(), "{status}");
                field.serve_again(data, "");
            }
            Self::ServerKilledInSilence => {
                machine.fall_silent();
                field.kill_server();
                machine.speak_again();
            }
            Self::RunnerKilledInSilence => {
                machine.fall_silent();
                place.runner.take().unwrap().kill();
                place.start(machine, &url);
                sleep(cut).await;
                machine.speak_again();
            }
        }
    }
}

/// A run with one task, which leaves marks.
struct Order {
    run: String,
    mark: String,
    may_be_repeated: bool,
}

/// When each runner was heard of, by name.
async fn heard(field: &Field) -> Vec<Value> {
    let runners = field.server().get("/runners", &field.admin).await;
    runners["items"].as_array().unwrap().iter().map(|runner| runner["seenAt"].clone()).collect()
}

async fn until_heard_again(field: &Field) {
    let before = heard(field).await;
    let news = |page: &Value| {
        let now = page["items"].as_array().unwrap().iter().map(|runner| &runner["seenAt"]);
        now.zip(&before).all(|(now, before)| now != before)
    };
    field.shows("/runners", news).await;
}

#[tokio::test]
async fn killed_cut_off_and_started_anew_under_load_nothing_is_lost_or_doubled() {
    let seed = testkit::seed();
    let Some(machine) = Machine::set_up() else { return };
    let mut random = StdRng::seed_from_u64(seed);
    let mut field = Field::at(machine.here.into(), LEASE, brief).await;
    let mut places = [Place::of("far-1", &field).await, Place::of("far-2", &field).await];
    for place in &mut places {
        place.start(&machine, &field.server().url);
    }
    let mut blows = Blow::ALL;
    blows.shuffle(&mut random);
    let mut orders = Vec::new();
    for blow in blows {
        for _ in 0..WAVE {
            let may_be_repeated = random.random_bool(0.3);
            let mark = format!("mark{}", orders.len());
            let run = field.launch(if may_be_repeated { "again" } else { "once" }, &mark).await;
            orders.push(Order { run, mark, may_be_repeated });
        }
        let cut = Duration::from_millis(random.random_range(CUT));
        let place = &mut places[random.random_range(0..2)];
        println!("{blow:?} ({}, {cut:?})", place.name);
        blow.strike(&mut field, &machine, place, cut).await;
        until_heard_again(&field).await;
    }

    let kills = blows.iter().filter(|blow| blow.kills_a_runner()).count();
    let (mut questions, mut faults) = (0, Vec::new());
    for Order { run, mark, may_be_repeated } in &orders {
        let settled = |run: &Value| run["status"] == "completed" || run["needsAttention"] == true;
        let run = field.shows(&format!("/runs/{run}"), settled).await;
        let (begun, ended) = (field.begun(mark), field.lines(&format!("{mark}.done")));
        let is_right = match (run["status"] == "completed", may_be_repeated) {
            (true, true) => (1..=kills + 1).contains(&begun) && ended >= 1,
            (true, false) => (begun, ended) == (1, 1),
            (false, true) => false,
            (false, false) => {
                questions += 1;
                begun <= 1
            }
        };
        if !is_right {
            faults.push(format!("{mark} ({may_be_repeated}): begun {begun}, ended {ended} times, {run}"));
        }
    }
    // Only what was under way on a runner that was killed may be a question.
    if questions > kills * CAPACITY {
        faults.push(format!("{questions} questions after {kills} kills"));
    }
    let logs: Vec<String> = places.iter().map(|place| format!("{}: {}", place.name, place.log())).collect();
    assert!(faults.is_empty(), "{}\n{}\n{}", faults.join("\n"), logs.join("\n"), field.server().log());
    println!("{} tasks, {questions} questions", orders.len());
    let auditor = field.server().token("auditor");
    let lost = field.server().get("/audit/entries?action=runner.lose-task&limit=200", &auditor).await;
    assert_eq!(lost["items"].as_array().unwrap().len(), questions, "{lost}");
    field.shows("/runner-tasks", |page| page["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test]
async fn silent_for_longer_than_a_lease_a_runner_has_lost_what_it_went_on_with() {
    let Some(machine) = Machine::set_up() else { return };
    let field = Field::at(machine.here.into(), "PT3S", until_told).await;
    let mut place = Place::of("far-1", &field).await;
    place.start(&machine, &field.server().url);
    let (once, again) = (field.launch("once", "a").await, field.launch("again", "b").await);
    field.until_begun("a", 1).await;
    field.until_begun("b", 1).await;
    let process = field.process("a");
    machine.fall_silent();
    field.needs_somebody(&once).await;
    field.shows("/runner-tasks", |page| page["items"][0]["state"] == "queued").await;
    // Nobody could tell it.
    assert!(super::is_alive(&process));
    machine.speak_again();
    super::until(|| !super::is_alive(&process), || place.log()).await;
    field.until_begun("b", 2).await;
    field.let_go("b");
    field.completes(&again).await;
    assert_eq!((field.begun("a"), field.begun("b")), (1, 2), "{}", place.log());
}
