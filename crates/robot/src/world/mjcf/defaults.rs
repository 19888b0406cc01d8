//! Classes of defaults: what elements have unless they say otherwise.

use std::collections::BTreeMap;

use super::document::{Attribute, Element};
use super::known;
use super::values::Attributes;
use crate::error::Result;

/// The class that holds where none is named.
const MAIN: &str = "main";

#[derive(Default)]
struct Class<'a> {
    parent: Option<String>,
    tags: BTreeMap<&'a str, Vec<&'a Attribute>>,
}

/// All classes of a model.
#[derive(Default)]
pub(super) struct Defaults<'a> {
    classes: BTreeMap<String, Class<'a>>,
}

impl<'a> Defaults<'a> {
    /// Takes in a `<default>` of the model.
    pub(super) fn add(&mut self, element: &'a Element, parent: Option<&str>) -> Result<()> {
        known::check_attributes(element)?;
        let name = match (element.find("class"), parent) {
            (Some(class), _) => class.value.clone(),
            (None, None) => MAIN.to_owned(),
            (None, Some(_)) => {
                return Err(element.at.wrong("a <default> within another has no `class`"));
            }
        };
        if parent.is_some() && self.classes.contains_key(&name) {
            return Err(element.at.wrong(format!("class `{name}` is defined twice")));
        }
        let class = self.classes.entry(name.clone()).or_default();
        class.parent = parent.map(str::to_owned);
        for child in element.children.iter().filter(|child| child.tag != "default") {
            if known::is_default(&child.tag) {
                known::check_attributes(child)?;
                class.tags.entry(&child.tag).or_default().extend(&child.attributes);
            } else if !known::is_passed_over("default", &child.tag) {
                return Err(known::refused(child, "default"));
            }
        }
        for child in element.children.iter().filter(|child| child.tag == "default") {
            self.add(child, Some(&name))?;
        }
        Ok(())
    }

    /// An element together with its defaults, by its own class or that of the body around it.
    pub(super) fn of<'b>(
        &'b self,
        element: &'b Element,
        around: Option<&'b Attribute>,
    ) -> Result<Attributes<'b>> {
        known::check_attributes(element)?;
        let mut defaults = Vec::new();
        let named = element.find("class").or(around);
        let mut next = named.map_or(MAIN, |class| class.value.as_str());
        if let Some(named) = named
            && !self.classes.contains_key(next)
        {
            return Err(named.at.wrong(format!("no class `{next}` among the defaults")));
        }
        while let Some(class) = self.classes.get(next) {
            // Within a class the last word counts.
            let tagged = class.tags.get(element.tag.as_str());
            defaults.extend(tagged.into_iter().flatten().rev().copied());
            let Some(parent) = &class.parent else { break };
            next = parent;
        }
        Ok(Attributes { element, defaults })
    }
}
