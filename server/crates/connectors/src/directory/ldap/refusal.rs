//! What an LDAP server's answer means to a call.

use ldap3::{LdapError, LdapResult};
use workflow::{RunError, StandardError};

use super::link::End;
use crate::Failure;

/// Result codes (RFC 4511, section 4.1.9) that are looked at.
pub(super) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const UNDEFINED_ATTRIBUTE: u32 = 17;
    pub(crate) const CONSTRAINT: u32 = 19;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const INSUFFICIENT_ACCESS: u32 = 50;
    pub(crate) const BUSY: u32 = 51;
    pub(crate) const UNAVAILABLE: u32 = 52;
    pub(crate) const OBJECT_CLASS: u32 = 65;
    pub(crate) const EXISTS: u32 = 68;
}

/// What a lost connection means: whether the operation changes something, and may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Nothing,
    Repeatable,
    Unknown,
}

/// What a failure of the protocol means, on a connection that ended so.
pub(super) fn broken(error: &LdapError, end: End, loss: Loss) -> Failure {
    if let LdapError::LdapResult { result } = error {
        return refused(result, "the operation");
    }
    let words = match (end, error) {
        (End::TooMuch, _) => {
            return unusable(
                "the directory's answers are larger than 5 MiB; narrow the base DN, or ask for less",
                loss,
            );
        }
        (End::NotLdap, _) => {
            return unusable("what came is no LDAP; compare address and port in the connection's settings", loss);
        }
        (End::Broke, LdapError::Io { source }) => format!("the connection to the directory broke: {source}"),
        (End::Broke, LdapError::Timeout { .. }) => "the directory did not answer in time".to_owned(),
        (End::Broke, LdapError::OpSend { .. } | LdapError::ResultRecv { .. } | LdapError::EndOfStream) => {
            "the connection to the directory broke".to_owned()
        }
        (End::Broke, other) => format!("the directory's answer was not understood: {other}"),
    };
    let error = RunError::communication(503, words);
    match loss {
        Loss::Nothing => Failure::retryable(error),
        Loss::Repeatable => Failure::lost(error),
        Loss::Unknown => Failure::unknown(error),
    }
}

/// It was answered with what cannot be used, and would be again; what it changed, it may have changed.
fn unusable(words: &str, loss: Loss) -> Failure {
    let error = RunError::communication(502, words);
    match loss {
        Loss::Nothing => Failure::permanent(error),
        Loss::Repeatable => Failure::lost(error),
        Loss::Unknown => Failure::unknown(error),
    }
}

/// What a result code other than success means.
pub(super) fn refused(result: &LdapResult, what: &str) -> Failure {
    let said = if result.text.is_empty() { String::new() } else { format!(": {}", result.text.trim_end_matches('\0')) };
    let detail = |reason: &str| format!("the directory refused {what}: {reason} (code {}){said}", result.rc);
    match result.rc {
        code::INVALID_CREDENTIALS => {
            let reason = sub_code(&result.text).unwrap_or("name or password is wrong, or the account is locked");
            Failure::permanent(RunError::new(
                StandardError::Authentication,
                format!("the directory refused the sign-in: {reason}{said}"),
            ))
        }
        code::INSUFFICIENT_ACCESS => {
            Failure::permanent(RunError::new(StandardError::Authorization, detail("the account lacks the right")))
        }
        code::BUSY | code::UNAVAILABLE => Failure::retryable(RunError::communication(503, detail("it is busy"))),
        code::EXISTS => Failure::refused(409, detail("there is one already")),
        code::NO_SUCH_OBJECT => Failure::refused(404, detail("the place in the tree does not exist")),
        // Samba says so with another code than Windows.
        _ if result.text.contains(PASSWORD_RESTRICTION) => Failure::refused(
            422,
            detail(
                "the password breaks the domain's rules for length, complexity, age or history; choose a longer one of \
                 several kinds of characters that was not used before",
            ),
        ),
        code::CONSTRAINT => Failure::refused(422, detail("a rule of the directory is broken")),
        code::UNDEFINED_ATTRIBUTE => Failure::refused(400, detail("it does not know an attribute")),
        code::OBJECT_CLASS => Failure::refused(400, detail("the object class asks for other attributes")),
        _ => Failure::refused(400, detail("its answer")),
    }
}

/// `ERROR_PASSWORD_RESTRICTION`, as Active Directory writes it into its answers.
const PASSWORD_RESTRICTION: &str = "0000052D";

/// Why Active Directory lets somebody not in, and what to do about it: it writes the code of the reason behind the word
/// `data`.
fn sub_code(text: &str) -> Option<&'static str> {
    let (_, after) = text.split_once("data ")?;
    Some(match after.split(|c: char| !c.is_ascii_alphanumeric()).next()? {
        "525" => "there is no such account; compare the sign-in DN",
        "52e" => "name or password is wrong; enter the password again",
        "530" => "the account may not sign in at this hour; change its logon hours",
        "531" => "the account may not sign in from here; change its list of workstations",
        "532" => "the password has expired; set another one, and let that of a service account never expire",
        "533" => "the account is disabled; enable it",
        "701" => "the account has expired; change its expiry",
        "773" => "the account must choose another password first; set one that need not be changed",
        "775" => "the account is locked; unlock it, and find out who tries wrong passwords",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn active_directory_says_why_it_lets_nobody_in() {
        for (code, words) in
            [("52e", "enter the password again"), ("533", "enable it"), ("773", "choose another password")]
        {
            let text =
                format!("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data {code}, v1db1");
            let failure = refused(&result(49, &text), "the sign-in");
            assert!(failure.detail().contains(words), "{failure}");
        }
        let failure = refused(&result(49, "data of another kind"), "the sign-in");
        assert!(failure.detail().contains("name or password is wrong"), "{failure}");
    }

    #[test]
    fn a_password_against_the_rules_is_told_from_other_refusals() {
        for rc in [code::CONSTRAINT, 53] {
            let text = "0000052D: Constraint violation - check_password_restrictions: the password is too short";
            let failure = refused(&result(rc, text), "the new password");
            assert_eq!(failure.error.status, 422);
            assert!(failure.detail().contains("choose a longer one"), "{failure}");
        }
    }
}
