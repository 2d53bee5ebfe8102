//! The structured fields `Signature-Input` and `Signature`.

use std::{collections::HashSet, convert::Infallible};

use sfv::{
    BareItem, BareItemFromInput, DictSerializer, Dictionary, InnerList, Item, KeyRef, ListSerializer, Parser,
    visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor},
};

use super::BaseError;

/// What one signature says that it covers, and its parameters, in the order received. Signers order the parameters
/// differently, and the order is signed, so nothing here is ever sorted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input(InnerList);

impl Input {
    pub(super) fn new(list: InnerList) -> Self {
        Self(list)
    }

    /// In the strict form of RFC 9421, section 2.3: what was received, in its order, with single spaces.
    pub(super) fn text(&self) -> String {
        let mut text = ListSerializer::new();
        let mut list = text.inner_list();
        list.items(&self.0.items);
        let _ = list.finish().parameters(&self.0.params);
        text.finish().unwrap_or_default()
    }

    /// The same as a member of `Signature-Input`.
    pub(super) fn labelled(&self, label: &KeyRef) -> String {
        let mut text = DictSerializer::new();
        let mut list = text.inner_list(label);
        list.items(&self.0.items);
        let _ = list.finish().parameters(&self.0.params);
        text.finish().unwrap_or_default()
    }

    /// The names of the covered components.
    pub(super) fn components(&self) -> impl Iterator<Item = Result<&str, BaseError>> {
        self.0.items.iter().map(|item| match item {
            Item { bare_item: BareItem::String(name), params } if params.is_empty() => Ok(name.as_str()),
            Item { bare_item: BareItem::String(name), .. } => Err(BaseError::Parameters(name.as_str().to_owned())),
            Item { .. } => Err(BaseError::NotAName),
        })
    }

    /// Whether this component is covered.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.components().any(|covered| covered == Ok(name))
    }

    /// The value of a parameter.
    pub(super) fn param(&self, name: &str) -> Option<&BareItem> {
        self.0.params.get(name)
    }
}

/// Reads a dictionary that may come as several header lines. A name that occurs twice, be it a label or a parameter, is
/// refused: structured fields would take the last one, others may show the first one to a person.
pub(super) fn dictionary(lines: &[&[u8]]) -> Result<Dictionary, sfv::Error> {
    let text = lines.join(&b", "[..]);
    Parser::new(&text).parse_dictionary_with_visitor(Unique::default())?;
    Parser::new(&text).parse()
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} occurs twice")]
struct Repeated(String);

/// Sees every name of a dictionary once, or not at all.
#[derive(Default)]
struct Unique<'de>(HashSet<&'de str>);

impl<'de> Unique<'de> {
    fn take(&mut self, key: &'de KeyRef) -> Result<(), Repeated> {
        if self.0.insert(key.as_str()) { Ok(()) } else { Err(Repeated(key.as_str().to_owned())) }
    }
}

impl<'de> DictionaryVisitor<'de> for Unique<'de> {
    type Out = ();
    type Error = Repeated;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Repeated> {
        self.take(key).map(|()| Member)
    }

    fn finish(self) -> Result<(), Repeated> {
        Ok(())
    }
}

impl<'de> ParameterVisitor<'de> for Unique<'de> {
    type Out = ();
    type Error = Repeated;

    fn parameter(&mut self, key: &'de KeyRef, _: BareItemFromInput<'de>) -> Result<(), Repeated> {
        self.take(key)
    }

    fn finish(self) -> Result<(), Repeated> {
        Ok(())
    }
}

/// Any member or item; only its parameters are looked at.
struct Member;

impl<'de> EntryVisitor<'de> for Member {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(self)
    }
}

impl<'de> ItemVisitor<'de> for Member {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, _: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        Ok(Unique::default())
    }
}

impl<'de> InnerListVisitor<'de> for Member {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(Self)
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Infallible> {
        Ok(Unique::default())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sfv::ListEntry;

    use super::*;

    /// Reads the value of one member of `Signature-Input`, without its label.
    pub(in super::super) fn input(text: &str) -> Input {
        match dictionary(&[format!("x={text}").as_bytes()]).unwrap().swap_remove("x") {
            Some(ListEntry::InnerList(list)) => Input(list),
            other => panic!("{other:?} is no inner list"),
        }
    }

    #[test]
    fn the_order_received_is_kept_and_the_spelling_made_strict() {
        let input = input(r#"( "b"   "a";x=1 );z=2; a="q\"";m"#);
        assert_eq!(input.text(), r#"("b" "a";x=1);z=2;a="q\"";m"#);
    }

    #[test]
    fn several_lines_are_one_dictionary() {
        let fields = dictionary(&[b"a=1", b"b=(\"x\");k=2, c"]).unwrap();
        assert_eq!(fields.keys().map(|key| key.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn no_name_may_occur_twice() {
        for twice in ["a=1, a=2", "a=(\"x\");k=1;k=2", "a=1;k;k", "a=(\"x\";k;k)"] {
            let error = dictionary(&[twice.as_bytes()]).unwrap_err().to_string();
            assert!(error.contains("twice"), "{twice}: {error}");
        }
        assert!(dictionary(&[b"a=1", b"a=1"]).is_err());
        assert!(dictionary(&[b"a=(\"x\";k \"y\";k);k, b;k"]).is_ok());
    }
}
