//! `rondo run`, as people and scripts use it.

use std::{fs, process::Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::{counterpart::Counterpart, server::rondo};

/// What a run is given.
#[derive(Default)]
pub(crate) struct Setting {
    pub(crate) definition: String,
    pub(crate) input: Option<String>,
    pub(crate) events: Option<String>,
    /// Definitions in the same folder.
    pub(crate) beside: Vec<String>,
    pub(crate) secrets: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Null if none was written.
    pub(crate) report: Value,
}

impl Ran {
    pub(crate) fn tasks(&self) -> &[Value] {
        self.report["tasks"].as_array().unwrap()
    }

    fn problem(&self) -> Value {
        serde_json::from_str(&self.stderr).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

impl Setting {
    fn of(tasks: &str) -> Self {
        Self { definition: definition("main", "1.0.0", tasks), ..Self::default() }
    }

    fn command(&self, folder: &TempDir) -> tokio::process::Command {
        let place = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let mut command = tokio::process::Command::from(rondo());
        command.arg("run").arg(place("main.yaml", &self.definition));
        command.arg("--report").arg(folder.path().join("report.out"));
        if let Some(input) = &self.input {
            command.arg("--input").arg(place("input.txt", input));
        }
        if let Some(events) = &self.events {
            command.arg("--event").arg(place("events.txt", events));
        }
        for (number, text) in self.beside.iter().enumerate() {
            place(&format!("beside-{number}.yaml"), text);
        }
        for secret in &self.secrets {
            command.args(["--secret", secret]);
        }
        command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    pub(crate) async fn run(&self) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let output = self.command(&folder).output().await.unwrap();
        read(&folder, &output)
    }
}

fn read(folder: &TempDir, output: &std::process::Output) -> Ran {
    let report = fs::read_to_string(folder.path().join("report.out"));
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout.clone()).unwrap(),
        stderr: String::from_utf8(output.stderr.clone()).unwrap(),
        report: report.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()),
    }
}

fn definition(name: &str, version: &str, rest: &str) -> String {
    format!("document: {{dsl: 1.0.3, namespace: tests, name: {name}, version: {version}}}\n{rest}\n")
}

#[tokio::test]
async fn the_output_goes_to_stdout_and_the_report_says_what_happened() {
    let setting = Setting {
        input: Some("{\"n\": 2}".to_owned()),
        ..Setting::of(
            "do:\n- loop: {for: {in: '[range(.n)]', each: i}, do: [{step: {set: {i: '${ $i }'}}}]}\n- last: {set: {done: true}, export: {as: '{seen: .done}'}}",
        )
    };
    let ran = setting.run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), json!({"done": true}));
    assert_eq!(ran.report["status"], "completed");
    assert_eq!((&ran.report["output"], &ran.report["context"]), (&json!({"done": true}), &json!({"seen": true})));
    assert_eq!((&ran.report["error"], &ran.report["emitted"]), (&Value::Null, &json!([])));
    let tasks: Vec<_> = ran.tasks().iter().map(|task| task["reference"].as_str().unwrap()).collect();
    assert_eq!(tasks, ["/do/0/loop", "/do/0/loop/do/0/step", "/do/0/loop/do/0/step", "/do/1/last"]);
    let keys: Vec<&String> = ran.tasks()[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["reference", "name", "status", "startedAt", "endedAt"]);
    assert!(ran.tasks().iter().all(|task| task["status"] == "completed" && task["endedAt"].is_string()));
}

#[tokio::test]
async fn a_fault_is_a_problem_on_stderr_and_takes_back_what_was_done() {
    let ran = Setting::of(
        "do:\n- make: {set: {a: 1}, metadata: {rondo: {compensate: [{unmake: {set: {a: 0}}}]}}}\n\
         - break: {raise: {error: {type: https://tests.example/broken, status: 418, title: Broken}}}",
    )
    .run()
    .await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    let problem = ran.problem();
    assert_eq!((&problem["type"], &problem["status"]), (&json!("https://tests.example/broken"), &json!(418)));
    assert_eq!(problem["instance"], "/do/1/break");
    assert_eq!(ran.report["error"], problem);
    let names: Vec<_> = ran.tasks().iter().map(|task| task["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["make", "break", "unmake"]);
}

#[tokio::test]
async fn what_cannot_be_executed_is_said_with_its_place() {
    for (tasks, words) in [
        ("do:\n- a: {cal: http}", "main.yaml:3:"),
        ("do:\n- a: {call: approval, with: {approvers: {managerOf: requester}}}", "there is nobody to ask"),
        ("do:\n- a: {call: directory, with: {connection: x, operation: lookup}}", "configured in the portal"),
    ] {
        let ran = Setting::of(tasks).run().await;
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(words) && ran.stderr.contains("main.yaml:3:"), "{ran:?}");
        assert_eq!((ran.report, ran.stdout.as_str()), (Value::Null, ""));
    }
    let ran = Setting { input: Some("a: [1".to_owned()), ..Setting::of("do:\n- a: {set: {}}") }.run().await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("input.txt:"), "{ran:?}");
    let ran =
        Setting { events: Some("[{\"id\": \"1\"}]".to_owned()), ..Setting::of("do:\n- a: {set: {}}") }.run().await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("event 1: no CloudEvent"), "{ran:?}");
}

#[tokio::test]
async fn input_that_breaks_its_schema_is_invalid_and_faults_the_run() {
    let schema = "input: {schema: {document: {type: object, required: [name]}}}\ndo:\n- a: {set: {}}";
    let ran = Setting::of(schema).run().await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(ran.problem()["type"], "https://serverlessworkflow.io/spec/1.0.0/errors/validation");
    assert_eq!((&ran.report["status"], &ran.report["error"]["status"]), (&json!("faulted"), &json!(400)));
}

#[tokio::test]
async fn workflows_are_found_beside_and_by_option_and_their_errors_come_up() {
    let call = |version: &str| {
        format!(
            "do:\n- sub: {{run: {{workflow: {{namespace: tests, name: sub, version: {version}, input: {{n: 1}}}}}}}}"
        )
    };
    let sub =
        |version: &str| definition("sub", version, &format!("do:\n- a: {{set: {{v: {version}, n: '${{ .n }}'}}}}"));
    let beside = vec![sub("1.2.0"), sub("1.10.0"), sub("2.0.0-rc.1"), "not: [valid".to_owned()];
    for (asked, found) in [("1.2.0", "1.2.0"), ("latest", "1.10.0"), ("2.0.0-rc.1", "2.0.0-rc.1")] {
        let ran = Setting { beside: beside.clone(), ..Setting::of(&call(asked)) }.run().await;
        assert_eq!(ran.report["output"], json!({"v": found, "n": 1}), "{ran:?}");
    }
    let ran = Setting { beside, ..Setting::of(&call("3.0.0")) }.run().await;
    assert!(ran.problem()["detail"].as_str().unwrap().contains("no workflow tests/sub of version 3.0.0"), "{ran:?}");

    let failing =
        definition("sub", "1.0.0", "do:\n- a: {raise: {error: {type: https://tests.example/sub, status: 409}}}");
    let ran = Setting { beside: vec![failing.clone()], ..Setting::of(&call("1.0.0")) }.run().await;
    assert_eq!((ran.code, &ran.problem()["type"]), (1, &json!("https://tests.example/sub")));

    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("sub.yaml"), sub("5.0.0")).unwrap();
    let mut command = Setting { beside: vec![sub("1.0.0")], ..Setting::of(&call("5.0.0")) }.command(&folder);
    let output = command.arg("--workflow").arg(elsewhere.path().join("sub.yaml")).output().await.unwrap();
    assert_eq!(read(&folder, &output).report["output"]["v"], "5.0.0");

    fs::write(elsewhere.path().join("sub.yaml"), "nonsense").unwrap();
    let mut command = Setting::of(&call("5.0.0")).command(&folder);
    let output = command.arg("--workflow").arg(elsewhere.path().join("sub.yaml")).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn a_workflow_that_runs_itself_without_end_is_stopped() {
    let ran =
        Setting::of("do:\n- again: {run: {workflow: {namespace: tests, name: main, version: latest}}}").run().await;
    assert_eq!(ran.code, 1);
    assert!(ran.problem()["detail"].as_str().unwrap().contains("deep"), "{ran:?}");
}

#[tokio::test]
async fn secrets_go_out_in_calls_and_nowhere_else() {
    let counterpart = Counterpart::start().await;
    let tasks = "use: {secrets: [token, login]}\ndo:\n\
        - bearer: {call: http, with: {method: get, endpoint: {uri: 'https://service.test/echo', authentication: {bearer: {token: '${ $secrets.token }'}}}, \
          query: {key: '${ $secrets.token }'}}, export: {as: '{seen: .}'}}\n\
        - emit: {emit: {event: {with: {source: /tests, type: tests.seen, data: {seen: '${ .authorization }'}}}}, output: {as: '$input'}}\n\
        - basic: {call: http, with: {method: get, endpoint: {uri: 'https://httpbin.org/basic-auth/ada/lovelace', authentication: {basic: {use: login}}}}, output: {as: '$input'}}\n\
        - broken: {raise: {error: {type: https://tests.example/x, status: 400, detail: '${ .authorization }'}}}";
    let setting = Setting {
        definition: counterpart.stands_in(&definition("main", "1.0.0", tasks)),
        secrets: vec!["token=t0ken-s3cret".to_owned(), r#"login={"username":"ada","password":"lovelace"}"#.to_owned()],
        ..Setting::default()
    };
    let ran = setting.run().await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(ran.problem()["type"], "https://tests.example/x", "{ran:?}");
    assert_eq!(ran.report["context"]["seen"]["authorization"], "Bearer [redacted]");
    assert_eq!(ran.report["context"]["seen"]["query"]["key"], "[redacted]");
    assert_eq!(ran.report["error"]["detail"], "Bearer [redacted]");
    let everything = format!("{ran:?}");
    assert!(!everything.contains("s3cret") && !everything.contains("lovelace\""), "{everything}");

    let unknown = Setting { secrets: Vec::new(), ..setting };
    let ran = unknown.run().await;
    assert_eq!(ran.problem()["type"], "https://serverlessworkflow.io/spec/1.0.0/errors/authorization", "{ran:?}");
    let bad = rondo().args(["run", "x.yaml", "--secret", "noequals"]).output().unwrap();
    assert_eq!(bad.status.code(), Some(2));
}

#[tokio::test]
async fn processes_run_here_and_what_they_leave_ends() {
    let ran = Setting::of(
        "do:\n- shell: {run: {shell: {command: 'cat; echo \" $1 $WORD\"', stdin: '${ .in }', arguments: [one], environment: {WORD: w}}, return: all}, \
         input: {from: '{in: \"x\"}'}, export: {as: '{shell: .}'}}\n\
         - script: {run: {script: {language: python, code: 'print(6 * 7)'}}}",
    )
    .run()
    .await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.report["context"]["shell"], json!({"code": 0, "stdout": "x one w\n", "stderr": ""}));
    assert_eq!(ran.report["output"], "42\n");
    let ran = Setting::of("do:\n- slow: {run: {shell: {command: 'sleep 1000'}}, timeout: {after: PT0.2S}}").run().await;
    assert_eq!(ran.problem()["type"], "https://serverlessworkflow.io/spec/1.0.0/errors/timeout", "{ran:?}");
}

#[tokio::test]
async fn a_run_that_nobody_can_wake_is_cancelled() {
    let ran = Setting::of("do:\n- wait: {listen: {to: {one: {with: {type: tests.never}}}}}").run().await;
    assert_eq!((ran.code, &ran.report["status"]), (1, &json!("cancelled")));
    assert!(ran.stderr.contains("nobody is left"), "{ran:?}");
}

#[tokio::test]
async fn an_interrupt_cancels_and_takes_back_and_a_second_one_ends() {
    // The command says on a pipe when it has come to where it waits.
    let tasks = |undo: &str| {
        format!(
            "do:\n- make: {{set: {{a: 1}}, metadata: {{rondo: {{compensate: [{{unmake: {undo}}}]}}}}}}\n\
             - hang: {{run: {{shell: {{command: 'touch \"$1\"; sleep 1000', arguments: ['${{ .note }}']}}}}}}"
        )
    };
    let start = async |undo: &str| {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        let setting = Setting {
            input: Some(json!({"note": note}).to_string()),
            ..Setting::of(&tasks(undo).replace("{set: {a: 1}", "{set: '${ . }'"))
        };
        let child = setting.command(&folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        until(|| note.exists()).await;
        (folder, child)
    };
    let interrupt = |child: &tokio::process::Child| {
        let pid = child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    };
    let (folder, child) = start("{set: {a: 0}}").await;
    interrupt(&child);
    let ran = read(&folder, &child.wait_with_output().await.unwrap());
    assert_eq!((ran.code, &ran.report["status"]), (1, &json!("cancelled")), "{ran:?}");
    let statuses: Vec<_> = ran.tasks().iter().map(|task| (task["name"].clone(), task["status"].clone())).collect();
    let expected = [("make", "completed"), ("hang", "cancelled"), ("unmake", "completed")];
    assert_eq!(statuses, expected.map(|(name, status)| (json!(name), json!(status))));

    let (folder, mut child) = start("{run: {shell: {command: 'echo $$ > \"$1.pid\"; mv \"$1.pid\" \"$1.undo\"; sleep 1000', arguments: ['${ .note }']}}}").await;
    interrupt(&child);
    until(|| folder.path().join("note.undo").exists()).await;
    let undoing = fs::read_to_string(folder.path().join("note.undo")).unwrap();
    interrupt(&child);
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    until(|| !std::path::Path::new("/proc").join(undoing.trim()).exists()).await;
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "");
}

/// Waits until a condition holds.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), wait).await.unwrap();
}
