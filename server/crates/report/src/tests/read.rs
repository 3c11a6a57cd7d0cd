//! Reads a PDF back as far as these tests ask.

use std::collections::HashMap;

use hayro_syntax::{
    Pdf,
    content::ops::TypedInstruction,
    object::{Array, Dict, Name, Object, Stream, String as Bytes},
    page::Page,
};

/// A PDF that is read back.
pub(super) struct Read(Pdf);

/// What a document says of itself.
#[derive(Debug)]
pub(super) struct Properties {
    pub(super) title: String,
    pub(super) author: String,
    pub(super) creator: String,
    pub(super) created: String,
    pub(super) language: String,
    pub(super) bookmarks: Vec<String>,
    pub(super) xmp: String,
}

impl Read {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self(Pdf::new(bytes).unwrap_or_else(|error| panic!("not a PDF: {error:?}")))
    }

    /// The text of each page, a line for each that was drawn.
    pub(super) fn pages(&self) -> Vec<String> {
        self.0.pages().iter().map(text).collect()
    }

    /// What the document has in common with its other versions, and what only it has.
    pub(super) fn identity(&self) -> (Vec<u8>, Vec<u8>) {
        let trailer = String::from_utf8_lossy(self.0.data().as_ref()).into_owned();
        let (_, id) = trailer.rsplit_once("/ID").unwrap();
        let mut strings = id.split(['(', ')']).skip(1).step_by(2).map(|id| id.as_bytes().to_vec());
        (strings.next().unwrap(), strings.next().unwrap())
    }

    fn catalogue(&self) -> Dict<'_> {
        self.dictionaries().find(|dictionary| is(dictionary, "Type", "Catalog")).unwrap()
    }

    fn dictionaries(&self) -> impl Iterator<Item = Dict<'_>> {
        self.0.objects().into_iter().filter_map(Object::into_dict)
    }

    pub(super) fn properties(&self) -> Properties {
        let catalogue = self.catalogue();
        let info = self.dictionaries().find(|dictionary| dictionary.contains_key("CreationDate")).unwrap();
        let outlines = catalogue.get::<Dict<'_>>("Outlines").unwrap();
        let bookmarks = std::iter::successors(outlines.get::<Dict<'_>>("First"), |item| item.get::<Dict<'_>>("Next"))
            .map(|item| string(&item, "Title"))
            .collect();
        let xmp = catalogue.get::<Stream<'_>>("Metadata").unwrap().decoded_data().unwrap().into_owned();
        Properties {
            title: string(&info, "Title"),
            author: string(&info, "Author"),
            creator: string(&info, "Creator"),
            created: string(&info, "CreationDate"),
            language: string(&catalogue, "Lang"),
            bookmarks,
            xmp: String::from_utf8(xmp).unwrap(),
        }
    }

    /// The structure of the document: `Table(TR(TH TD))`.
    pub(super) fn structure(&self) -> String {
        let root = self.catalogue().get::<Dict<'_>>("StructTreeRoot").unwrap();
        children(&root).iter().map(element).collect::<Vec<_>>().join(" ")
    }
}

fn element(element: &Dict<'_>) -> String {
    let name = element.get::<Name<'_>>("S").unwrap().as_str().to_owned();
    let children: Vec<String> = children(element).iter().map(self::element).collect();
    if children.is_empty() { name } else { format!("{name}({})", children.join(" ")) }
}

/// The elements of which an element is made.
fn children<'a>(of: &Dict<'a>) -> Vec<Dict<'a>> {
    let all = match of.get::<Array<'a>>("K") {
        Some(several) => several.iter::<Object<'a>>().filter_map(Object::into_dict).collect(),
        None => of.get::<Dict<'a>>("K").into_iter().collect::<Vec<_>>(),
    };
    all.into_iter().filter(|child| child.contains_key("S")).collect()
}

fn is(dictionary: &Dict<'_>, key: &str, value: &str) -> bool {
    dictionary.get::<Name<'_>>(key).is_some_and(|name| name.as_str() == value)
}

fn string(dictionary: &Dict<'_>, key: &str) -> String {
    let bytes = dictionary.get::<Bytes<'_>>(key).unwrap();
    match bytes.as_bytes().strip_prefix(b"\xfe\xff") {
        Some(wide) => utf16(wide),
        None => String::from_utf8(bytes.as_bytes().to_vec()).unwrap(),
    }
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}

fn text(page: &Page<'_>) -> String {
    let mut fonts: HashMap<String, HashMap<u16, String>> = HashMap::new();
    let mut font = String::new();
    let mut text = String::new();
    let mut operations = page.typed_operations();
    while let Some(operation) = operations.next() {
        let mut show = |bytes: &Bytes<'_>| {
            for pair in bytes.as_bytes().chunks(2) {
                text += &fonts[&font][&u16::from_be_bytes([pair[0], pair[1]])];
            }
        };
        match operation {
            TypedInstruction::TextFont(named) => {
                font = named.0.as_str().to_owned();
                fonts.entry(font.clone()).or_insert_with(|| characters(&page.resources().get_font(named.0).unwrap()));
            }
            TypedInstruction::ShowText(shown) => show(shown.0),
            TypedInstruction::ShowTexts(shown) => {
                shown.0.iter::<Object<'_>>().filter_map(Object::into_string).for_each(|bytes| show(&bytes));
            }
            TypedInstruction::EndText(_) => text.push('\n'),
            _ => {}
        }
    }
    text
}

/// What the signs of a font are read as.
fn characters(font: &Dict<'_>) -> HashMap<u16, String> {
    let stream = font.get::<Stream<'_>>("ToUnicode").unwrap().decoded_data().unwrap().into_owned();
    let map = String::from_utf8(stream).unwrap();
    let mut characters = HashMap::new();
    for block in map.split("beginbfchar").skip(1) {
        let (block, _) = block.split_once("endbfchar").unwrap();
        let codes: Vec<&str> = block.split(['<', '>']).map(str::trim).filter(|code| !code.is_empty()).collect();
        for pair in codes.chunks(2) {
            characters.insert(u16::from_str_radix(pair[0], 16).unwrap(), utf16(&hex::decode(pair[1]).unwrap()));
        }
    }
    assert!(!map.contains("beginbfrange"), "this reader knows no ranges");
    characters
}
