//! `+ - * / %` over metered values.

use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::rc::Rc;

use jaq_core::ops::Math;

use super::meter;
use super::value::{Entries, Error, V, ValR, bulk};

fn numbers(left: &V, right: &V) -> Option<(f64, f64)> {
    Some((left.as_float()?, right.as_float()?))
}

impl Add for V {
    type Output = ValR;

    fn add(self, other: Self) -> ValR {
        meter::step(1);
        Ok(match (self, other) {
            (Self::Null, value) | (value, Self::Null) => value,
            (Self::Int(left), Self::Int(right)) => match left.checked_add(right) {
                Some(sum) => Self::Int(sum),
                #[expect(clippy::cast_precision_loss, reason = "jq numbers are floating-point beyond 64 bits")]
                None => Self::Float(left as f64 + right as f64),
            },
            (Self::Text(left), Self::Text(right)) => {
                meter::allocate(left.len() + right.len());
                Self::Text(Rc::from(format!("{left}{right}")))
            }
            (left @ Self::List(_), right @ Self::List(_)) => {
                let mut items = left.into_items().unwrap_or_default();
                items.extend(right.into_items().unwrap_or_default());
                Self::list(items)
            }
            (left @ Self::Object(_), right @ Self::Object(_)) => {
                let mut entries = left.into_entries().unwrap_or_default();
                entries.extend(right.into_entries().unwrap_or_default());
                Self::object(entries)
            }
            (left, right) => match numbers(&left, &right) {
                Some((left, right)) => Self::number(left + right),
                None => return Err(Error::math(left, Math::Add, right)),
            },
        })
    }
}

impl Sub for V {
    type Output = ValR;

    fn sub(self, other: Self) -> ValR {
        meter::step(1);
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Ok(match left.checked_sub(right) {
                Some(difference) => Self::Int(difference),
                #[expect(clippy::cast_precision_loss, reason = "jq numbers are floating-point beyond 64 bits")]
                None => Self::Float(left as f64 - right as f64),
            }),
            (left @ Self::List(_), Self::List(right)) => {
                let mut items = left.into_items().unwrap_or_default();
                items.retain(|item| !right.items.contains(item));
                Ok(Self::list(items))
            }
            (left, right) => match numbers(&left, &right) {
                Some((left, right)) => Ok(Self::number(left - right)),
                None => Err(Error::math(left, Math::Sub, right)),
            },
        }
    }
}

impl Mul for V {
    type Output = ValR;

    fn mul(self, other: Self) -> ValR {
        meter::step(1);
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Ok(match left.checked_mul(right) {
                Some(product) => Self::Int(product),
                #[expect(clippy::cast_precision_loss, reason = "jq numbers are floating-point beyond 64 bits")]
                None => Self::Float(left as f64 * right as f64),
            }),
            (Self::Text(text), times @ (Self::Int(_) | Self::Float(_)))
            | (times @ (Self::Int(_) | Self::Float(_)), Self::Text(text)) => Ok(repeat(&text, &times)),
            (left @ Self::Object(_), right @ Self::Object(_)) => Ok(merge(left, right)),
            (left, right) => match numbers(&left, &right) {
                Some((left, right)) => Ok(Self::number(left * right)),
                None => Err(Error::math(left, Math::Mul, right)),
            },
        }
    }
}

fn repeat(text: &str, times: &V) -> V {
    let exact = times.as_float().unwrap_or(0.0);
    if exact <= 0.0 {
        return V::Null;
    }
    let times = times.as_index().and_then(|times| usize::try_from(times).ok()).unwrap_or(usize::MAX).max(1);
    // Counted before anything is built.
    meter::allocate(text.len().saturating_mul(times));
    if text.is_empty() { V::text("") } else { V::Text(Rc::from(text.repeat(times))) }
}

fn merge(left: V, right: V) -> V {
    let mut entries: Entries = left.into_entries().unwrap_or_default();
    for (key, value) in right.into_entries().unwrap_or_default() {
        meter::step(1);
        let merged = match (entries.get(&key), value) {
            (Some(old @ V::Object(_)), new @ V::Object(_)) => merge(old.share(), new),
            (_, new) => new,
        };
        entries.insert(key, merged);
    }
    V::object(entries)
}

impl Div for V {
    type Output = ValR;

    fn div(self, other: Self) -> ValR {
        meter::step(1);
        match (self, other) {
            (_, Self::Int(0)) => Err(Error::str("division by zero")),
            (Self::Int(left), Self::Int(right)) if left.checked_rem(right) == Some(0) => Ok(Self::Int(left / right)),
            (Self::Text(text), Self::Text(separator)) => Ok(split(&text, &separator)),
            (left, right) => match numbers(&left, &right) {
                Some((_, 0.0)) => Err(Error::str("division by zero")),
                Some((left, right)) => Ok(Self::number(left / right)),
                None => Err(Error::math(left, Math::Div, right)),
            },
        }
    }
}

/// Splits text; an empty separator gives the characters.
pub(super) fn split(text: &str, separator: &str) -> V {
    bulk(text.len());
    if text.is_empty() {
        return V::list(Vec::new());
    }
    if separator.is_empty() {
        return text.chars().map(|c| V::text(c.to_string())).collect();
    }
    text.split(separator).map(V::text).collect()
}

impl Rem for V {
    type Output = ValR;

    fn rem(self, other: Self) -> ValR {
        meter::step(1);
        let (Some(left), Some(right)) = (truncated(&self), truncated(&other)) else {
            return Err(Error::math(self, Math::Rem, other));
        };
        match left.checked_rem(right) {
            Some(rest) => Ok(Self::Int(rest)),
            None if right == 0 => Err(Error::str("division by zero")),
            None => Ok(Self::Int(0)),
        }
    }
}

fn truncated(value: &V) -> Option<i64> {
    match value {
        V::Int(value) => Some(*value),
        V::Float(value) => V::Float(value.trunc()).as_index(),
        _ => None,
    }
}

impl Neg for V {
    type Output = ValR;

    fn neg(self) -> ValR {
        meter::step(1);
        match self {
            Self::Int(value) => match value.checked_neg() {
                Some(value) => Ok(Self::Int(value)),
                #[expect(clippy::cast_precision_loss, reason = "jq numbers are floating-point beyond 64 bits")]
                None => Ok(Self::Float(-(value as f64))),
            },
            Self::Float(value) => Ok(Self::Float(-value)),
            other => Err(Error::typ(other, "number")),
        }
    }
}
