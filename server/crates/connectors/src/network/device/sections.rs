//! A configuration as sections: lines, with the lines that are indented below them.

/// Lines that only end a section.
const CLOSERS: &[&str] =
    &["exit", "end", "quit", "exit-address-family", "exit-vrf", "exit-peer-policy", "exit-peer-session"];

/// How deep sections are followed; what is deeper stands in the last.
const DEPTH: usize = 16;

/// A line, with those below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::network) struct Section {
    line: String,
    below: Vec<Section>,
}

/// Takes a text apart by its indentation.
pub(in crate::network) fn read(text: &str) -> Vec<Section> {
    let lines: Vec<(usize, &str)> = text
        .lines()
        .map(|line| (line.len() - line.trim_start().len(), line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('!') && !CLOSERS.contains(line))
        .collect();
    below(&lines, DEPTH)
}

fn below(mut lines: &[(usize, &str)], depth: usize) -> Vec<Section> {
    let mut sections = Vec::new();
    while let Some(((indent, line), rest)) = lines.split_first() {
        let inside = if depth == 0 { Some(0) } else { rest.iter().position(|(next, _)| next <= indent) };
        let inside = inside.unwrap_or(rest.len());
        let (inner, after) = rest.split_at(inside);
        sections.push(Section { line: (*line).to_owned(), below: below(inner, depth.saturating_sub(1)) });
        lines = after;
    }
    sections
}

/// Commands of the outermost mode after which another one is entered, even where nothing stands below them.
const OPENERS: &[&str] = &[
    "class-map",
    "control-plane",
    "controller",
    "crypto isakmp policy",
    "crypto map",
    "interface",
    "ip access-list",
    "ipv6 access-list",
    "key chain",
    "line",
    "mac access-list",
    "policy-map",
    "route-map",
    "router",
    "segment-routing",
    "vrf",
];

/// The same of modes that are deeper.
const INNER_OPENERS: &[&str] = &["address-family", "class"];

/// The first line that would leave the mode in which it and those after it were meant to be typed.
pub(in crate::network) fn astray(text: &str) -> Option<&str> {
    // The indentation of the sections that are open, of the line before, and of the section that was ended last.
    let mut open: Vec<usize> = Vec::new();
    let mut before: Option<(usize, &str)> = None;
    let mut ended: Option<usize> = None;
    for line in text.lines() {
        let (indent, line) = (line.len() - line.trim_start().len(), line.trim());
        if line.is_empty() || line.starts_with('!') {
            continue;
        }
        if leaves(line) {
            return Some(line);
        }
        if is_exit(line) {
            let opener = before.take().filter(|(indent, line)| opens(*indent, line)).map(|(indent, _)| indent);
            let Some(closed) = opener.or_else(|| open.pop()) else { return Some(line) };
            ended = Some(closed);
            continue;
        }
        if ended.take().is_some_and(|closed| indent > closed) {
            return Some(line);
        }
        if let Some((header, _)) = before.filter(|(header, _)| *header < indent) {
            open.push(header);
        }
        open.retain(|header| *header < indent);
        before = Some((indent, line));
    }
    None
}

/// Whether a command belongs to another mode than that of the configuration, wherever it is typed.
fn leaves(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default().to_ascii_lowercase();
    let alone = words.next().is_none();
    let is_part_of = |whole: &str, least: usize| first.len() >= least && whole.starts_with(&first);
    is_part_of("do", 2) || is_part_of("configure", 4) || (alone && is_part_of("end", 2))
}

/// Whether a command goes back by one mode; devices take shortened ones, too.
fn is_exit(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["ex", "exi", "exit", "q", "qu", "qui", "quit"].contains(&line.as_str()) || line.starts_with("exit ")
}

fn opens(indent: usize, line: &str) -> bool {
    let openers = if indent == 0 { OPENERS } else { INNER_OPENERS };
    let begins =
        |opener: &&str| line.strip_prefix(*opener).is_some_and(|rest| rest.starts_with(' ') || rest.is_empty());
    openers.iter().any(begins)
        || (indent == 0
            && line.strip_prefix("vlan ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))
}

/// The text of sections.
pub(in crate::network) fn written(sections: &[Section]) -> String {
    let mut text = String::new();
    write(sections, 0, &mut text);
    text
}

fn write(sections: &[Section], depth: usize, text: &mut String) {
    for section in sections {
        text.push_str(&" ".repeat(depth));
        text.push_str(&section.line);
        text.push('\n');
        write(&section.below, depth + 1, text);
    }
}

/// What a configuration will look like after these commands, as far as its text tells: what a device makes of one line
/// by another (an option that replaces another one) only it knows.
pub(in crate::network) fn changed(sections: &[Section], commands: &[Section]) -> Vec<Section> {
    let mut after = sections.to_vec();
    for command in commands {
        let gone = command.line.strip_prefix("no ");
        let longer = gone.map(|gone| format!("{gone} "));
        let known = |section: &Section| {
            Some(section.line.as_str()) == gone
                || longer.as_ref().is_some_and(|longer| section.line.starts_with(longer))
        };
        if after.iter().any(known) {
            after.retain(|section| !known(section));
            continue;
        }
        match after.iter_mut().find(|section| section.line == command.line) {
            Some(section) => section.below = changed(&section.below, &command.below),
            None => after.push(Section { line: command.line.clone(), below: changed(&[], &command.below) }),
        }
    }
    // What was not there and is taken away is no line of the configuration.
    after.retain(|section| !is_removal_of_nothing(section, commands) || sections.contains(section));
    after
}

fn is_removal_of_nothing(section: &Section, commands: &[Section]) -> bool {
    section.line.starts_with("no ") && commands.iter().any(|command| command.line == section.line)
}

/// Commands that make of one configuration the other. A section that is in both is left in the end, others first go,
/// then come.
pub(in crate::network) fn commands(from: &[Section], to: &[Section]) -> Vec<String> {
    let mut commands = Vec::new();
    for section in from.iter().filter(|section| !to.iter().any(|other| other.line == section.line)) {
        commands.push(section.line.strip_prefix("no ").map_or_else(|| format!("no {}", section.line), str::to_owned));
    }
    for section in to {
        let known = from.iter().find(|other| other.line == section.line);
        let inner = self::commands(known.map_or(&[][..], |known| &known.below), &section.below);
        if known.is_none() || !inner.is_empty() {
            commands.push(section.line.clone());
            if !section.below.is_empty() || !inner.is_empty() {
                commands.extend(inner);
                commands.push("exit".to_owned());
            }
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "hostname r1\nrouter bgp 65001\n neighbor 10.0.0.2 remote-as 65002\n address-family ipv4 unicast\n  \
                          network 10.1.0.0/16\n exit-address-family\nexit\n!\nip route 10.9.0.0/16 blackhole\n";

    #[test]
    fn sections_are_read_and_written_without_what_only_ends_them() {
        let written = written(&read(BEFORE));
        assert_eq!(
            written,
            "hostname r1\nrouter bgp 65001\n neighbor 10.0.0.2 remote-as 65002\n address-family ipv4 unicast\n  \
             network 10.1.0.0/16\nip route 10.9.0.0/16 blackhole\n"
        );
        assert_eq!(read(&written), read(BEFORE));
    }

    #[test]
    fn lines_that_leave_the_mode_are_found() {
        for text in [
            BEFORE,
            "interface lo\n ip address 10.0.0.1/32\n exit\nhostname r2\n",
            "route-map all permit 10\nexit\nrouter bgp 1\n address-family ipv4\n exit\nexit\n",
            "router bgp 1\n address-family ipv4\n  network 10.0.0.0/8\n exit\n neighbor 10.0.0.1 shutdown\n",
            "interface lo\n description do not end\nenable secret x\ndomain end\nend-policy\n",
        ] {
            assert_eq!(astray(text), None, "{text}");
        }
        for (text, line) in [
            ("hostname r2\nexit\nreload\n", "exit"),
            ("hostname r2\nQuit\n", "Quit"),
            ("interface lo\n shutdown\n exit\nexit\nhostname r2\n", "exit"),
            ("interface lo\n vrf forwarding red\n exit\nexit\n", "exit"),
            ("interface lo\n end\n", "end"),
            ("hostname r2\ndo reload\n", "do reload"),
            ("interface lo\n conf t\n", "conf t"),
            ("interface lo\n shutdown\n exit\n no ip routing\n", "no ip routing"),
        ] {
            assert_eq!(astray(text), Some(line), "{text}");
        }
    }

    #[test]
    fn a_change_is_foreseen_line_by_line() {
        let change = "router bgp 65001\n no neighbor 10.0.0.2\n address-family ipv4 unicast\n  network 10.2.0.0/16\n\
                      no ip route 10.9.0.0/16 blackhole\nno ip route 10.8.0.0/16 blackhole\n";
        let after = written(&changed(&read(BEFORE), &read(change)));
        assert_eq!(
            after,
            "hostname r1\nrouter bgp 65001\n address-family ipv4 unicast\n  network 10.1.0.0/16\n  network 10.2.0.0/16\n"
        );
        assert_eq!(changed(&read(BEFORE), &read("hostname r1\n")), read(BEFORE));
    }

    #[test]
    fn the_way_back_takes_away_and_brings_back() {
        let after = "hostname r1\nrouter bgp 65001\n address-family ipv4 unicast\n  network 10.1.0.0/16\n  network 10.2.0.0/16\n";
        assert_eq!(
            commands(&read(after), &read(BEFORE)),
            [
                "router bgp 65001",
                "neighbor 10.0.0.2 remote-as 65002",
                "address-family ipv4 unicast",
                "no network 10.2.0.0/16",
                "exit",
                "exit",
                "ip route 10.9.0.0/16 blackhole",
            ]
        );
        assert!(commands(&read(BEFORE), &read(BEFORE)).is_empty());
        assert_eq!(commands(&read("no ip forwarding\n"), &[]), ["ip forwarding"]);
    }
}
