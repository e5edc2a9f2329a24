//! What a variable of a sentence stands for.

use fluent_bundle::FluentValue;

/// A text or a number. A text is shown as it is, never read as Fluent; whoever fills it in with words of strangers puts
/// them in code or takes their signs away first.
#[derive(Debug, Clone, PartialEq)]
pub struct Value(FluentValue<'static>);

/// Characters that turn or embed the direction of what follows (Unicode, UAX #9): a name with one of them would set the
/// rest of the sentence backwards.
const TURNS: [char; 9] = [
    '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}',
    '\u{2069}',
];

impl Value {
    pub(super) fn into_fluent(self) -> FluentValue<'static> {
        self.0
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self(FluentValue::from(text.replace(TURNS, "")))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

macro_rules! numbers {
    ($($of:ty),*) => {
        $(impl From<$of> for Value {
            fn from(number: $of) -> Self {
                Self(FluentValue::from(number))
            }
        })*
    };
}

numbers!(i32, i64, u16, u32, u64, usize);
