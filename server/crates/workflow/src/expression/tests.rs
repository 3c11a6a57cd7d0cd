use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "reads better in the tables")]
fn run(source: &str, input: Value) -> Result<Value, String> {
    let known = ["context", "input", "item"];
    let variables = json!({"context": {"team": "ops"}, "input": {"n": 3}, "item": "x"});
    let Value::Object(variables) = variables else { unreachable!() };
    Expression::compile(source, &known)?.evaluate(&input, &variables).map_err(|error| error.to_string())
}

#[test]
fn useful_jq_gives_what_jq_gives() {
    let person = json!({"name": "Ana María", "roles": ["b", "a", "b"], "age": 41, "nested": {"k": [1, 2, 3]}});
    let table = [
        (".", person.clone()),
        (".name", json!("Ana María")),
        (".missing.deep", json!(null)),
        (".nested.k[1]", json!(2)),
        (".nested.k[-1:]", json!([3])),
        (".roles | unique", json!(["a", "b"])),
        (".roles | sort | join(\"-\")", json!("a-b-b")),
        (".roles | map(select(. == \"b\")) | length", json!(2)),
        (".roles | group_by(.) | map({(.[0]): length}) | add", json!({"a": 1, "b": 2})),
        ("[.nested.k[] | . * 2]", json!([2, 4, 6])),
        (".nested.k | add / length", json!(2)),
        ("reduce .nested.k[] as $n (0; . + $n)", json!(6)),
        ("[foreach .nested.k[] as $n (0; . + $n)]", json!([1, 3, 6])),
        ("{name, years: .age, team: $context.team}", json!({"name": "Ana María", "years": 41, "team": "ops"})),
        ("\"\\(.name) is \\(.age)\"", json!("Ana María is 41")),
        ("if .age >= 18 then \"adult\" else \"minor\" end", json!("adult")),
        (".age // 0", json!(41)),
        (".missing // \"none\"", json!("none")),
        (".name | ascii_downcase | gsub(\"[^a-z]+\"; \".\")", json!("ana.mar.a")),
        (".name | test(\"^ana\"; \"i\")", json!(true)),
        (".name | capture(\"(?<first>\\\\w+) (?<last>\\\\w+)\")", json!({"first": "Ana", "last": "María"})),
        (".name | sub(\"(?<f>\\\\w+) (?<l>\\\\w+)\"; \"\\(.l), \\(.f)\")", json!("María, Ana")),
        ("[.name | scan(\"[aA]\")]", json!(["A", "a", "a", "a"])),
        (".name | split(\" \")", json!(["Ana", "María"])),
        (".name | split(\"\\\\s+\"; null) | length", json!(2)),
        (".name | explode | map(select(. < 128)) | implode", json!("Ana Mara")),
        (".name[0:3]", json!("Ana")),
        (".name | startswith(\"Ana\") and endswith(\"ía\")", json!(true)),
        (".name | ltrimstr(\"Ana \")", json!("María")),
        (".name | @uri", json!("Ana%20Mar%C3%ADa")),
        (".name | @base64 | @base64d", json!("Ana María")),
        ("@json \"x=\\(.roles)\"", json!("x=[\"b\",\"a\",\"b\"]")),
        ("to_entries | map(.key)", json!(["name", "roles", "age", "nested"])),
        ("keys", json!(["age", "name", "nested", "roles"])),
        ("with_entries(select(.key == \"age\"))", json!({"age": 41})),
        ("has(\"age\")", json!(true)),
        ("del(.roles, .nested, .name)", json!({"age": 41})),
        (".age += 1 | .age", json!(42)),
        (".a.b.c = 1 | .a", json!({"b": {"c": 1}})),
        (".nested.k |= map(. + 1) | .nested.k", json!([2, 3, 4])),
        ("[range(3)]", json!([0, 1, 2])),
        ("[range(0; 10; 5)]", json!([0, 5])),
        ("[limit(2; .roles[])]", json!(["b", "a"])),
        ("first(.roles[])", json!("b")),
        (".roles | first, last", json!(null)),
        ("any(.roles[]; . == \"a\")", json!(true)),
        ("[.nested.k[] | . > 1] | all", json!(false)),
        (".nested.k | min, max", json!(null)),
        ("[.nested.k | min, max]", json!([1, 3])),
        ("[1, [2, [3]]] | flatten", json!([1, 2, 3])),
        ("{a: {b: 1}} * {a: {c: 2}}", json!({"a": {"b": 1, "c": 2}})),
        ("\"ab\" * 3", json!("ababab")),
        ("1 / 2", json!(0.5)),
        ("7 % 3", json!(1)),
        ("[1, 2, 3] - [2]", json!([1, 3])),
        ("\"12\" | tonumber", json!(12)),
        ("(\"x\" | tonumber)? // \"no\"", json!("no")),
        ("try error(\"bad\") catch .", json!("bad")),
        ("{\"a\": [1]} | tojson", json!("{\"a\":[1]}")),
        ("\"[1,2]\" | fromjson | .[1]", json!(2)),
        ("0 | todate", json!("1970-01-01T00:00:00Z")),
        ("\"1970-01-02T00:00:00Z\" | fromdate", json!(86_400)),
        ("$item + \"y\"", json!("xy")),
        (". as {name: $n, roles: [$first]} | $n + $first", json!("Ana Maríab")),
        ("[.roles | to_entries?] | length", json!(0)),
        ("[paths]", json!(null)),
        ("[[1,2],[3]] | transpose", json!([[1, 3], [2, null]])),
        ("\"a,b\" | index(\",\")", json!(1)),
        ("[splits(\"a\")]", json!(null)),
        ("sort_by(.x)?", json!(null)),
        ("type", json!("object")),
        ("empty", json!(null)),
        ("[.nested.k | getpath([0])]", json!([1])),
        ("[\"a\", 1, null] | @csv", json!("\"a\",1,")),
        ("not", json!(false)),
    ];
    for (source, expected) in table {
        if expected.is_null() && ![".missing.deep", "empty", "sort_by(.x)?"].contains(&source) {
            assert!(run(source, person.clone()).is_err(), "{source}");
            continue;
        }
        assert_eq!(run(source, person.clone()), Ok(expected), "{source}");
    }
}

#[test]
fn what_might_not_end_or_looks_outside_is_refused() {
    for source in [
        "def f: f; f",
        "..",
        "[recurse]",
        "[limit(1000000000; repeat(1))]",
        "[range(infinite)]",
        "until(false; .)",
        "while(true; .)",
        "input",
        "env",
        "$ENV",
        "$ENV.PATH",
        "now",
        "debug",
        "input_line_number",
        "halt",
        "walk(.)",
        "label $x | break $x",
        "$__loc__",
        "import \"a\" as a; .",
        "include \"a\"; .",
        "_matches(\"a\"; \"g\")",
        "a::b",
        "@sh",
        "",
        "   ",
        "$nosuch",
        "nosuch",
        ".a |",
        "(.a",
        "\"\\(.a\"",
        "length(1)",
        "${ .a }",
        "}{",
    ] {
        assert!(Expression::compile(source, &["input"]).is_err(), "{source}");
    }
    let deep = "[".repeat(40) + &"]".repeat(40);
    assert!(Expression::compile(&deep, &[]).is_err());
    assert!(Expression::compile(&"-".repeat(5_000), &[]).is_err());
    assert!(Expression::compile(&format!(".{}", " | .".repeat(1_000)), &[]).is_err());
    assert!(Expression::compile(&"try ".repeat(1_500), &[]).is_err());
    assert!(Expression::compile(&format!("\"{}\"", "x".repeat(MAX_EXPRESSION_BYTES)), &[]).is_err());
}

#[test]
fn every_function_compiles() {
    for (name, arity) in library::public_signatures() {
        let arguments = if arity == 0 { String::new() } else { format!("({})", vec!["."; arity].join("; ")) };
        let source = format!("{name}{arguments}");
        assert!(Expression::compile(&source, &[]).is_ok(), "{source}: {:?}", Expression::compile(&source, &[]));
    }
}

#[test]
fn messages_help() {
    let complaint = |source: &str| Expression::compile(source, &["input", "context"]).unwrap_err();
    assert!(complaint("$inptu").contains("did you mean “input”"), "{}", complaint("$inptu"));
    assert!(complaint("lenght").contains("did you mean “length”"), "{}", complaint("lenght"));
    assert!(complaint("recurse").contains("not allowed"));
    assert!(complaint("split").contains("1 or 2 arguments"), "{}", complaint("split"));
    assert_eq!(run(".a | error(\"no such team\")", json!({})), Err("no such team".to_owned()));
    assert_eq!(run(".[0]", json!({"a": 1})), Err("cannot index an object (a) with 0".to_owned()));
}

#[test]
fn hostile_expressions_are_stopped_in_time() {
    let long = "a".repeat(200_000);
    let numbers: Vec<u32> = (0..1_000).collect();
    let choices = |count: usize| vec!["(1,2)"; count];
    let sources = [
        "\"x\" * 1000000000".to_owned(),
        "reduce range(64) as $i (\"x\"; . + .)".to_owned(),
        "reduce range(64) as $i ([1]; . + .)".to_owned(),
        "reduce range(64) as $i (1; [., .]) | tojson".to_owned(),
        "reduce range(64) as $i (1; [., .])".to_owned(),
        "reduce range(60) as $i (1; [., .]) | . == .".to_owned(),
        "reduce range(60) as $i (1; {a: ., b: .}) | flatten".to_owned(),
        "reduce range(100000) as $i (1; [.])".to_owned(),
        "[range(1000000000)]".to_owned(),
        "reduce range(1000000000) as $i (0; .)".to_owned(),
        "last(range(1000000000))".to_owned(),
        "first(range(1000000000) | select(false))".to_owned(),
        "range(0; 1; 0) | empty".to_owned(),
        "[limit(1000000000; range(1000000000))] | length".to_owned(),
        "null | .[1000000000] = 1".to_owned(),
        format!("[{}] | length", choices(60).join(" + ")),
        format!("reduce ({}) as $x (0; .)", choices(60).join(" | ")),
        format!("[{}] | length", vec!["(.,.)"; 60].join(" | ")),
        format!("(try ({}) catch .) | empty", choices(60).join(" | ")),
        "[.numbers[] as $a | .numbers[] as $b | .numbers[] as $c | 1] | length".to_owned(),
        "[.numbers[] | . as $a | [range(10000)] | map($a)] | length".to_owned(),
        ".long | gsub(\"\"; \"aaaaaaaaaa\") | gsub(\"\"; \"aaaaaaaaaa\") | gsub(\"\"; \"aaaaaaaaaa\")".to_owned(),
        ".long as $l | [.numbers[] | \"\\($l)\\($l)\"] | length".to_owned(),
        "reduce range(100000) as $i ({}; .[$i | tostring] = $i)".to_owned(),
        ".numbers |= (reduce range(100000) as $i (.; . + [$i]))".to_owned(),
        "[.long | explode[] | select(. == 97)] | sort_by(-.) | group_by(.) | map(unique) | length | [range(. * 10000000)]".to_owned(),
    ];
    let input = json!({"long": long, "numbers": numbers});
    for source in sources {
        // Testing time itself: a deadlock here would mean that an expression holds a thread.
        #[expect(clippy::disallowed_methods, reason = "the test measures that evaluation is bounded")]
        let start = Instant::now();
        let result = run(&source, input.clone());
        let took = start.elapsed();
        assert!(result.is_err(), "{source}: {:?}", result.map(|value| value.to_string().len()));
        assert!(took < Duration::from_secs(20), "{source}: {took:?}");
    }
}

#[test]
fn the_largest_expressions_fit_a_small_stack() {
    let chains = [
        format!(".{}", " | .".repeat(90)),
        format!("0{}", " + 1".repeat(90)),
        format!("{}.", "try ".repeat(40)),
        format!("{}1{}", "[".repeat(31), "]".repeat(31)),
        format!("[{}]", vec!["0"; 90].join(",")),
        format!("{}1{}", "if . then ".repeat(40), " else 0 end".repeat(40)),
    ];
    let check = move || {
        for source in &chains {
            let result = run(source, json!(1));
            assert!(result.is_ok(), "{source}: {result:?}");
        }
        for refused in [
            format!(".{}", " | .".repeat(249)),
            "try ".repeat(249) + ".",
            "-".repeat(249) + "1",
            "(\")\"|".repeat(200),
            "(]".repeat(500),
            "\"\\(".repeat(500),
            "#(\n".repeat(500),
        ] {
            assert!(Expression::compile(&refused, &[]).is_err());
        }
    };
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(check).unwrap().join().unwrap();
}

#[test]
fn expressions_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Expression>();
}

#[test]
fn templates_replace_whole_strings_only() {
    let value = json!({"a": "${ .x }", "b": ["${ .x + 1 }", "plain ${ .x }"], "c": {"d": 1}});
    let mut problems = Vec::new();
    let template =
        Template::compile(&value, &[], false, &mut |pointer, message| problems.push(format!("{pointer}: {message}")));
    assert_eq!(problems, Vec::<String>::new());
    let expected = json!({"a": 1, "b": [2, "plain ${ .x }"], "c": {"d": 1}});
    assert_eq!(template.evaluate(&json!({"x": 1}), &()).unwrap(), expected);
    Template::compile(&json!({"a/b": ["${ nosuch }"]}), &[], false, &mut |pointer, _| {
        problems.push(pointer.to_owned());
    });
    assert_eq!(problems, ["/a~1b/0"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..5).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn identity_and_json_text_lose_nothing(value in any_json()) {
        prop_assert_eq!(run(".", value.clone()).unwrap(), value.clone());
        let back = run("tojson | fromjson", value.clone()).unwrap();
        prop_assert_eq!(run(". == $input", back.clone()).is_ok(), true);
        prop_assert_eq!(back.to_string().len() <= value.to_string().len() + 64, true);
    }

    #[test]
    fn whatever_is_written_never_breaks_the_evaluator(
        source in "([.\\[\\]{}()|,+*/$\"a-z0-9 :?-]|map|select|length|reduce|if|then|else|end|as|try|range){0,40}",
        value in any_json(),
    ) {
        let _ = run(&source, value);
    }

    #[test]
    fn the_order_of_values_is_total(a in any_json(), b in any_json(), c in any_json()) {
        let order = run("sort", json!([a, b, c])).unwrap();
        let again = run("reverse | sort", order.clone()).unwrap();
        prop_assert_eq!(order, again);
    }
}
