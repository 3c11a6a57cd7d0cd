//! The allow-list: which jq an expression may use. Everything not named here is refused when a definition is saved.

use std::collections::BTreeSet;

use jaq_core::load::lex::{Lexer, StrPart};
use jaq_core::load::parse::{BinaryOp, Parser, Pattern, Term};
use jaq_core::path::Part;

use super::library;
use crate::diagnostic::suggestion;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 8 * 1024;
/// The deepest nesting of brackets, before parsing.
const MAX_BRACKETS: usize = 32;
/// The most operators and control words, before parsing: each can be one level of the syntax tree.
const MAX_OPERATORS: usize = 250;
/// The most words that nest an expression in the parser, which needs much stack for each.
const MAX_CONTROL_WORDS: usize = 40;
/// The deepest syntax tree.
const MAX_TREE_DEPTH: usize = 96;

/// What an expression uses.
#[derive(Debug, Default, Clone)]
pub(super) struct Uses {
    /// Global variables, without `$`.
    pub(super) variables: BTreeSet<String>,
    /// Functions, as `name/arity`.
    pub(super) functions: BTreeSet<String>,
    /// Names read directly from `$secrets`.
    pub(super) secrets: BTreeSet<String>,
}

/// Parses and checks an expression in which the global variables `known` (without `$`) exist.
pub(super) fn check(code: &str, known: &[&str]) -> Result<Uses, String> {
    bounded(code)?;
    let tokens = Lexer::new(code).lex().map_err(|errors| match errors.first() {
        Some((_, "")) => "the expression ends too early: a bracket or quote is not closed".to_owned(),
        Some((_, rest)) => format!("cannot read the expression at “{}”", head(rest)),
        None => "cannot read the expression".to_owned(),
    })?;
    let term = Parser::new(&tokens).parse(Parser::term).map_err(|errors| match errors.first() {
        Some((expected, Some(token))) => format!("expected {} before “{}”", expected.as_str(), head(token.0)),
        Some((expected, None)) => format!("the expression ends too early: expected {}", expected.as_str()),
        None => "cannot read the expression".to_owned(),
    })?;
    let mut checker = Checker { known, bound: Vec::new(), uses: Uses::default(), library: false };
    checker.term(&term, 0)?;
    Ok(checker.uses)
}

/// The functions that a definition of our own library uses.
pub(super) fn functions_of(term: &Term<&str>, parameters: &[&str]) -> BTreeSet<String> {
    let mut checker = Checker { known: &[], bound: Vec::new(), uses: Uses::default(), library: true };
    for parameter in parameters {
        checker.bound.push((*parameter).trim_start_matches('$').to_owned());
    }
    // The library is our own and checked by its tests; a refusal here would only hide a function.
    let _ = checker.term(term, 0);
    checker.uses.functions
}

fn head(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Bounds the nesting of brackets, strings and interpolations, exactly as the lexer will see them.
fn brackets(code: &str) -> Result<(), String> {
    // What closes the innermost open thing; a string closes by a quote.
    let mut open: Vec<char> = Vec::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        if open.last() == Some(&'"') {
            match c {
                '"' => {
                    open.pop();
                }
                '\\' if chars.next() == Some('(') => open.push(')'),
                _ => {}
            }
            continue;
        }
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            '"' => open.push('"'),
            ')' | ']' | '}' if open.pop() != Some(c) => return Err(format!("“{c}” closes nothing here")),
            // How far a comment reaches depends on backslashes; nobody needs one here.
            '#' => return Err("comments are not allowed in expressions".to_owned()),
            _ => {}
        }
        if open.len() > MAX_BRACKETS {
            return Err(format!("brackets are nested deeper than {MAX_BRACKETS} levels"));
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err("the expression ends too early: a bracket or quote is not closed".to_owned())
    }
}

/// Bounds what the recursive parser will see.
fn bounded(code: &str) -> Result<(), String> {
    if code.trim().is_empty() {
        return Err("the expression is empty".to_owned());
    }
    if code.len() > MAX_EXPRESSION_BYTES {
        return Err(format!("the expression has {} bytes; the limit is {MAX_EXPRESSION_BYTES}", code.len()));
    }
    brackets(code)?;
    let is_operator = |c: &char| "|,+-*/%=<>".contains(*c);
    let mut operators = code.chars().filter(is_operator).count();
    let mut before = '(';
    let mut signs = 0_usize;
    for c in code.chars().filter(|c| !c.is_whitespace()) {
        // A minus after anything that cannot end a term is a sign, and signs nest.
        signs += usize::from(c == '-' && "([{,|;:=+-*/%<>".contains(before));
        before = c;
    }
    if signs > MAX_CONTROL_WORDS {
        return Err(format!("the expression has more than {MAX_CONTROL_WORDS} signs"));
    }
    let words = || code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let control = words().filter(|word| matches!(*word, "if" | "elif" | "try" | "reduce" | "foreach")).count();
    if control > MAX_CONTROL_WORDS {
        return Err(format!(
            "the expression has {control} of if, elif, try, reduce and foreach; the limit is {MAX_CONTROL_WORDS}"
        ));
    }
    operators += words().filter(|word| matches!(*word, "and" | "or" | "as")).count();
    if operators > MAX_OPERATORS {
        return Err(format!("the expression has {operators} operators; the limit is {MAX_OPERATORS}"));
    }
    Ok(())
}

struct Checker<'k> {
    known: &'k [&'k str],
    bound: Vec<String>,
    uses: Uses,
    library: bool,
}

impl Checker<'_> {
    fn term(&mut self, term: &Term<&str>, depth: usize) -> Result<(), String> {
        if depth > MAX_TREE_DEPTH {
            return Err(format!("the expression is nested deeper than {MAX_TREE_DEPTH} levels"));
        }
        let next = depth + 1;
        match term {
            Term::Id | Term::Num(_) => Ok(()),
            Term::Recurse => Err(refused("..")),
            Term::Label(..) | Term::Break(_) => Err(refused("label")),
            Term::Def(..) => Err(refused("def")),
            Term::Str(format, parts) => {
                if let Some(format) = format {
                    self.function(format, 0)?;
                }
                parts.iter().try_for_each(|part| match part {
                    StrPart::Term(term) => self.term(term, next),
                    StrPart::Str(_) | StrPart::Char(_) => Ok(()),
                })
            }
            Term::Arr(inner) => inner.iter().try_for_each(|term| self.term(term, next)),
            Term::Obj(entries) => entries.iter().try_for_each(|(key, value)| {
                self.term(key, next)?;
                value.iter().try_for_each(|value| self.term(value, next))
            }),
            Term::Neg(inner) => self.term(inner, next),
            Term::BinOp(left, operator, right) => {
                self.term(left, next)?;
                match operator {
                    BinaryOp::Pipe(Some(pattern)) => self.binding(pattern, next, |checker| checker.term(right, next)),
                    _ => self.term(right, next),
                }
            }
            Term::Fold(name, source, pattern, arguments) => {
                let expected = if *name == "reduce" { 2..=2 } else { 2..=3 };
                if !expected.contains(&arguments.len()) {
                    return Err(format!("{name} does not take {} arguments", arguments.len()));
                }
                self.term(source, next)?;
                self.binding(pattern, next, |checker| {
                    arguments.iter().try_for_each(|argument| checker.term(argument, next))
                })
            }
            Term::TryCatch(body, handler) => {
                self.term(body, next)?;
                handler.iter().try_for_each(|handler| self.term(handler, next))
            }
            Term::IfThenElse(cases, otherwise) => {
                for (condition, then) in cases {
                    self.term(condition, next)?;
                    self.term(then, next)?;
                }
                otherwise.iter().try_for_each(|otherwise| self.term(otherwise, next))
            }
            Term::Call(name, arguments) => {
                self.function(name, arguments.len())?;
                arguments.iter().try_for_each(|argument| self.term(argument, next))
            }
            Term::Var(name) => self.variable(name),
            Term::Path(head, path) => {
                if let (Term::Var("$secrets"), Some((Part::Index(Term::Str(None, parts)), _))) =
                    (&**head, path.0.first())
                    && let [StrPart::Str(name)] = parts.as_slice()
                {
                    self.uses.secrets.insert((*name).to_owned());
                }
                self.term(head, next)?;
                path.0.iter().try_for_each(|(part, _)| match part {
                    Part::Index(index) => self.term(index, next),
                    Part::Range(from, to) => from.iter().chain(to).try_for_each(|bound| self.term(bound, next)),
                })
            }
        }
    }

    fn binding(
        &mut self,
        pattern: &Pattern<&str>,
        depth: usize,
        body: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let before = self.bound.len();
        self.pattern(pattern, depth)?;
        let result = body(self);
        self.bound.truncate(before);
        result
    }

    fn pattern(&mut self, pattern: &Pattern<&str>, depth: usize) -> Result<(), String> {
        if depth > MAX_TREE_DEPTH {
            return Err(format!("the expression is nested deeper than {MAX_TREE_DEPTH} levels"));
        }
        match pattern {
            Pattern::Var(name) => self.bound.push(name.trim_start_matches('$').to_owned()),
            Pattern::Arr(items) => items.iter().try_for_each(|item| self.pattern(item, depth + 1))?,
            Pattern::Obj(entries) => entries.iter().try_for_each(|(key, value)| {
                // `{$name}` binds the variable that it names.
                match key {
                    Term::Var(name) => self.bound.push(name.trim_start_matches('$').to_owned()),
                    key => self.term(key, depth + 1)?,
                }
                self.pattern(value, depth + 1)
            })?,
        }
        Ok(())
    }

    fn variable(&mut self, name: &str) -> Result<(), String> {
        let name = name.trim_start_matches('$');
        if self.bound.iter().any(|bound| bound == name) {
            return Ok(());
        }
        if self.library || self.known.contains(&name) {
            self.uses.variables.insert(name.to_owned());
            return Ok(());
        }
        let visible = self.known.iter().copied().chain(self.bound.iter().map(String::as_str));
        Err(match name {
            "ENV" | "__prog_args" | "__loc__" => refused(&format!("${name}")),
            _ => format!("the variable ${name} does not exist here{}", suggestion(name, visible)),
        })
    }

    fn function(&mut self, name: &str, arity: usize) -> Result<(), String> {
        let signature = format!("{name}/{arity}");
        if self.library || library::is_public(name, arity) {
            self.uses.functions.insert(signature);
            return Ok(());
        }
        if library::REFUSED.contains(&name) {
            return Err(refused(name));
        }
        let arities = library::arities(name);
        if arities.is_empty() {
            return Err(format!("the function “{name}” does not exist{}", suggestion(name, library::public_names())));
        }
        let arities: Vec<String> = arities.iter().map(ToString::to_string).collect();
        Err(format!("the function “{name}” takes {} arguments, not {arity}", arities.join(" or ")))
    }
}

fn refused(what: &str) -> String {
    format!("“{what}” is not allowed: expressions are limited to what always ends and always gives the same result")
}
