use crate::view;
use leptos::prelude::*;

/// A person as initials. The name stands beside it, so readers do not hear it.
#[component]
pub fn Avatar(
    /// The person's name.
    #[prop(into)]
    name: String,
    /// Larger.
    #[prop(optional)]
    large: bool,
) -> impl IntoView {
    view! { <span class="avatar" class:avatar--large=large aria-hidden="true">{initials(&name)}</span> }
}

/// First letters of the first and last word; of a Korean name the last two syllables, as is usual.
fn initials(name: &str) -> String {
    let words: Vec<&str> = name.split_whitespace().collect();
    match words.as_slice() {
        [] => "?".to_owned(),
        [one] if one.chars().all(|c| ('\u{AC00}'..='\u{D7A3}').contains(&c)) => {
            one.chars().skip(one.chars().count().saturating_sub(2)).collect()
        }
        [one] => one.chars().take(1).flat_map(char::to_uppercase).collect(),
        [first, .., last] => {
            [first, last].iter().filter_map(|w| w.chars().next()).flat_map(char::to_uppercase).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_of_names_in_both_scripts() {
        assert_eq!(initials("Mina Manager"), "MM");
        assert_eq!(initials("admin"), "A");
        assert_eq!(initials("김민아"), "민아");
        assert_eq!(initials(""), "?");
    }
}
