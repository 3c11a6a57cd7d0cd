//! The icons: one set of 20 px strokes, drawn here.

use crate::view;
use leptos::prelude::*;

macro_rules! glyphs {
    ($($(#[$doc:meta])* $name:ident = $path:literal),+ $(,)?) => {
        /// A picture of the set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Glyph { $($(#[$doc])* $name),+ }

        impl Glyph {
            /// All pictures.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its strokes in a box of 20 by 20.
            pub const fn path(self) -> &'static str {
                match self { $(Self::$name => $path),+ }
            }

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

glyphs! {
    /// Home.
    Home = "M3.5 9 10 3.5 16.5 9v7.5h-4.6v-4.3H8.1v4.3H3.5z",
    /// Catalogue.
    Catalogue = "M3.5 3.5h5.2v5.2H3.5zM11.3 3.5h5.2v5.2h-5.2zM3.5 11.3h5.2v5.2H3.5zM11.3 11.3h5.2v5.2h-5.2z",
    /// Requests of one's own.
    Requests = "M3.5 11.5 5.6 4h8.8l2.1 7.5v4.8h-13zM3.5 11.5h3.8l1.2 2h3l1.2-2h3.8",
    /// Decisions.
    Decisions = "M16.5 10v4.8a1.7 1.7 0 0 1-1.7 1.7H5.2a1.7 1.7 0 0 1-1.7-1.7V5.2a1.7 1.7 0 0 1 1.7-1.7h7.3M7.2 9.4l2.6 2.6 6.7-7",
    /// Runs.
    Runs = "M6.5 4v12l9.5-6z",
    /// Audit.
    Audit = "M10 2.8 4 5v4.6c0 3.7 2.5 6.3 6 7.6 3.5-1.3 6-3.9 6-7.6V5zM7.4 9.9l1.9 1.9 3.4-3.6",
    /// Figures.
    Chart = "M3.5 16.5h13M5.8 16.5V11M10 16.5V4M14.2 16.5V7.6",
    /// People.
    People = "M7.5 9.2a2.9 2.9 0 1 0 0-5.8 2.9 2.9 0 0 0 0 5.8zM2.6 16.6c0-2.9 2.2-4.7 4.9-4.7s4.9 1.8 4.9 4.7M13.3 3.8a2.9 2.9 0 0 1 0 5.1M14.6 12.2c1.7.6 2.8 2.2 2.8 4.4",
    /// Teams.
    Teams = "M10 7.6a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM4.9 16.4a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM15.1 16.4a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM10 7.6v2.2M4.9 12.4V9.8h10.2v2.6",
    /// Grants.
    Key = "M7 13.8a3.4 3.4 0 1 0 0-6.8 3.4 3.4 0 0 0 0 6.8zM9.6 8.2l6.5-5M13 5.6l2.1 2.5",
    /// Connections.
    Plug = "M7.4 2.8v4M12.6 2.8v4M5.2 6.8h9.6v2.6a4.8 4.8 0 0 1-9.6 0zM10 14.2v3",
    /// Repositories.
    Branch = "M6 6.4v7.2M6 6.4a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM6 17.2a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM14 8.4a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6zM14 8.4c0 3-2.6 3.8-8 4",
    /// Triggers.
    Bolt = "M11.2 2.8 4.8 11.4h4.4l-.8 5.8 6.8-9h-4.6z",
    /// Search.
    Search = "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11zM13 13l4 4",
    /// Notices.
    Bell = "M5 14.2V9a5 5 0 0 1 10 0v5.2l1.4 1H3.6zM8.3 17.2h3.4",
    /// Person.
    Person = "M10 9.6a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6zM3.8 17c.2-3.2 2.8-4.9 6.2-4.9s6 1.7 6.2 4.9",
    /// Settings.
    Sliders = "M3.5 6h6M13 6h3.5M11.2 4.2v3.6M3.5 14h3.3M10.2 14h6.3M8.5 12.2v3.6",
    /// Sign out.
    SignOut = "M8.4 3.5H4.2v13h4.2M8 10h8.6M13.6 6.8l3 3.2-3 3.2",
    /// More.
    More = "M4.6 9.4a.6.6 0 1 0 .01 0zM10 9.4a.6.6 0 1 0 .01 0zM15.4 9.4a.6.6 0 1 0 .01 0z",
    /// Add.
    Plus = "M10 4v12M4 10h12",
    /// Take away.
    Minus = "M4 10h12",
    /// Done.
    Check = "M4 10.6 8.2 15 16 5.6",
    /// Close, or no.
    Cross = "M5 5l10 10M15 5 5 15",
    /// Downwards.
    ChevronDown = "M5 7.5l5 5 5-5",
    /// Onwards.
    ChevronRight = "M7.5 5l5 5-5 5",
    /// Backwards.
    ChevronLeft = "M12.5 5l-5 5 5 5",
    /// Upwards.
    ChevronUp = "M5 12.5l5-5 5 5",
    /// Onwards, as a step.
    ArrowRight = "M3.5 10h12.5M11.5 5.5 16 10l-4.5 4.5",
    /// Completed.
    CircleCheck = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM6.9 10.3l2.2 2.2 4-4.5",
    /// Rejected or cancelled.
    CircleCross = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM7.5 7.5l5 5M12.5 7.5l-5 5",
    /// Cancelled.
    CircleSlash = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM5.2 14.8l9.6-9.6",
    /// Pending.
    CircleDashed = "M10 3a7 7 0 0 1 3 .7M15.6 5.8a7 7 0 0 1 1.2 2.6M16.8 11.7a7 7 0 0 1-1.3 2.6M13 16.3a7 7 0 0 1-3 .7M7 16.3a7 7 0 0 1-2.6-2.1M3.2 11.6a7 7 0 0 1 0-3.2M4.5 5.8A7 7 0 0 1 7 3.7",
    /// At work; turns.
    Spinner = "M10 3a7 7 0 1 1-7 7",
    /// Waiting for time.
    Clock = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 5.8V10l2.9 1.8",
    /// Waiting for a person.
    PersonClock = "M8 8.6a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM2.8 15.6c.2-2.8 2.3-4.3 5.2-4.3M14 17a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6zM14 12.2v1.6l1.1.7",
    /// Halted.
    Pause = "M7 4.5v11M13 4.5v11",
    /// Needs attention, or a warning.
    Warning = "M10 3.2 17.6 16.4H2.4zM10 8v3.8M10 14.2v.01",
    /// Failed.
    Octagon = "M7 3h6l4 4v6l-4 4H7l-4-4V7zM10 6.6v4.2M10 13.4v.01",
    /// To know.
    Info = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 9.2v4.3M10 6.5v.01",
    /// Not known.
    Question = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM7.9 8a2.1 2.1 0 1 1 3 1.9c-.6.3-.9.7-.9 1.3M10 13.6v.01",
    /// Taken back.
    Undo = "M7.4 4 3.6 7.8l3.8 3.8M3.6 7.8h7.9a4.4 4.4 0 0 1 0 8.8H8",
    /// Again.
    Retry = "M16.2 10a6.2 6.2 0 1 1-2-4.6M16.4 3.2v3.3H13",
    /// Left out.
    Skip = "M4 5.5 9 10l-5 4.5M10 5.5 15 10l-5 4.5M16.6 5.2v9.6",
    /// Copy.
    Copy = "M7.2 7.2h9.3v9.3H7.2zM12.8 7.2V3.5H3.5v9.3h3.7",
    /// Download.
    Download = "M10 3.2v9.3M6.2 8.8 10 12.6l3.8-3.8M3.5 16.6h13",
    /// Upload.
    Upload = "M10 12.6V3.2M6.2 7 10 3.2 13.8 7M3.5 16.6h13",
    /// Leads elsewhere.
    External = "M8.4 4.2H4v11.8h11.8v-4.4M11.4 3.5h5.1v5.1M16.2 3.8 9.6 10.4",
    /// Change.
    Pencil = "M3.6 16.4l.8-3.4L13 4.4l2.6 2.6L7 15.6zM11.3 6.1l2.6 2.6",
    /// Delete.
    Trash = "M3.8 5.6h12.4M8 5.4V3.4h4v2M5.4 5.6l.7 11h7.8l.7-11M8.5 8.6v5M11.5 8.6v5",
    /// Language.
    Globe = "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM3 10h14M10 3c2 2 3 4.3 3 7s-1 5-3 7c-2-2-3-4.3-3-7s1-5 3-7z",
    /// Light.
    Sun = "M10 13.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM10 2.4v1.8M10 15.8v1.8M2.4 10h1.8M15.8 10h1.8M4.6 4.6l1.3 1.3M14.1 14.1l1.3 1.3M15.4 4.6l-1.3 1.3M5.9 14.1l-1.3 1.3",
    /// Dark.
    Moon = "M16.3 11.8A6.8 6.8 0 0 1 8.2 3.7a6.8 6.8 0 1 0 8.1 8.1z",
    /// As the system has it.
    Monitor = "M3 4h14v9.4H3zM7.4 16.6h5.2M10 13.4v3.2",
    /// Mail.
    Mail = "M3 4.8h14v10.4H3zM3.4 5.4 10 10.8l6.6-5.4",
    /// Identity workflows.
    Badge = "M4 3.4h12v13.2H4zM10 10a1.9 1.9 0 1 0 0-3.8 1.9 1.9 0 0 0 0 3.8zM7 13.8c.2-1.4 1.4-2.1 3-2.1s2.8.7 3 2.1",
    /// Incident workflows.
    Pulse = "M2.6 10.4h3.6l2-5.6 3.4 10.4 2.2-4.8h3.6",
    /// Workflows on servers.
    Server = "M3.4 4h13.2v4.6H3.4zM3.4 11.4h13.2V16H3.4zM6 6.3h.2M6 13.7h.2",
    /// Workflows in a cloud.
    Cloud = "M6 15.4h8a3 3 0 0 0 .6-6 4.6 4.6 0 0 0-8.9-1A3.5 3.5 0 0 0 6 15.4z",
    /// Containers, and what is delivered.
    Package = "M10 3l6.4 3.4v7.2L10 17l-6.4-3.4V6.4zM3.6 6.4L10 9.8l6.4-3.4M10 9.8V17",
    /// Workflows on the network.
    Network = "M8 3.4h4V7H8zM3 13h4v3.6H3zM13 13h4v3.6h-4zM10 7v3M5 13v-3h10v3",
    /// Databases, and recovery from a disaster.
    Database = "M4 5.4C4 4 6.7 3 10 3s6 1 6 2.4-2.7 2.4-6 2.4-6-1-6-2.4zM4 5.4v9.2C4 16 6.7 17 10 17s6-1 6-2.4V5.4M4 10c0 1.4 2.7 2.4 6 2.4s6-1 6-2.4",
    /// Steps.
    Steps = "M3.6 4.4h5v3.4h-5zM11.4 12.2h5v3.4h-5zM6.1 7.8v6.1h5.3",
    /// Filter.
    Filter = "M3.4 4.6h13.2L11.6 10.6v5.2l-3.2-1.6v-3.6z",
    /// Hidden or shown text.
    Eye = "M2.4 10S5 5 10 5s7.6 5 7.6 5-2.6 5-7.6 5-7.6-5-7.6-5zM10 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4z",
}

impl Glyph {
    /// The picture that a workflow's metadata names, by icon or else category.
    pub fn for_workflow(icon: &str, category: &str) -> Self {
        Self::of_icon(icon).unwrap_or_else(|| Self::of_category(category))
    }

    fn of_icon(icon: &str) -> Option<Self> {
        Some(match icon {
            "user-plus" | "user" | "badge" | "person" => Self::Badge,
            "user-minus" => Self::SignOut,
            "key" => Self::Key,
            "mail" => Self::Mail,
            "pulse" | "activity" => Self::Pulse,
            "server" | "terminal" => Self::Server,
            "cloud" => Self::Cloud,
            "package" => Self::Package,
            "network" | "shield" => Self::Network,
            "database" => Self::Database,
            _ => return None,
        })
    }

    fn of_category(category: &str) -> Self {
        match category {
            "identity" => Self::Badge,
            "access" => Self::Key,
            "incident" => Self::Pulse,
            "servers" => Self::Server,
            "cloud" => Self::Cloud,
            "containers" | "delivery" => Self::Package,
            "network" => Self::Network,
            "recovery" | "data" => Self::Database,
            _ => Self::Steps,
        }
    }
}

/// A picture beside words; readers do not hear it.
#[component]
pub fn Icon(
    /// Which.
    glyph: Glyph,
    /// Whether it turns.
    #[prop(optional)]
    spin: bool,
) -> impl IntoView {
    view! {
        <svg class="icon" class:icon--spin=spin viewBox="0 0 20 20" aria-hidden="true" focusable="false">
            <path d=glyph.path()></path>
        </svg>
    }
}
