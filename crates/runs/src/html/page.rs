//! The page and its parts.

use std::fmt::Write as _;

use super::{Cell, Tone, escape, inline};
use crate::{Manifest, stamp};

const STYLE: &str = include_str!("page.css");

/// A page, written from top to bottom. Methods chain.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    kicker: Option<String>,
    lead: Option<String>,
    facts: Vec<(String, Cell)>,
    /// Ids and titles of the sections.
    contents: Vec<(String, String)>,
    body: String,
    in_section: bool,
    /// How many blocks are open around the one being written.
    depth: usize,
    style: String,
    script: String,
    footer: Option<String>,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            kicker: None,
            lead: None,
            facts: Vec::new(),
            contents: Vec::new(),
            body: String::new(),
            in_section: false,
            depth: 0,
            style: String::new(),
            script: String::new(),
            footer: None,
        }
    }

    /// A few words above the title: what kind of page this is.
    pub fn kicker(&mut self, text: impl Into<String>) -> &mut Self {
        self.kicker = Some(text.into());
        self
    }

    /// The answer in a sentence or two, below the title. Backticks make code.
    pub fn lead(&mut self, text: impl Into<String>) -> &mut Self {
        self.lead = Some(text.into());
        self
    }

    /// A fact in the head of the page.
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<Cell>) -> &mut Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The facts of a run that make it repeatable, in the head of the page.
    pub fn run_facts(&mut self, manifest: &Manifest) -> &mut Self {
        self.fact("run", Cell::code(&manifest.id))
            .fact("begun", format!("{} UTC", stamp::for_people(&manifest.created)))
            .fact("status", Cell::badge(manifest.status.name(), status_tone(manifest.status)))
            .fact("seed", manifest.seed.to_string())
            .fact("tetrad", manifest.tetrad_version.clone());
        if let Some(source) = &manifest.source {
            let dirty = if source.dirty { ", with changes" } else { "" };
            self.fact("source", format!("`{}`{dirty}", source.revision));
        }
        let host = &manifest.host;
        let memory_gib = host.memory_bytes as f64 / f64::from(1 << 30);
        self.fact(
            "machine",
            format!("{}, {} cores, {memory_gib:.1} GiB, {}", host.cpu, host.n_cores, host.os),
        )
    }

    /// Begins a section, which ends where the next one begins. Inside a block it is a heading only.
    pub fn section(&mut self, title: impl AsRef<str>) -> &mut Self {
        let title = title.as_ref();
        if self.depth > 0 {
            return self.subsection(title);
        }
        self.close_section();
        let id = format!("s{}", self.contents.len() + 1);
        let _ = write!(self.body, "<section id=\"{id}\"><h2>{}</h2>", inline(title));
        self.contents.push((id, title.to_owned()));
        self.in_section = true;
        self
    }

    fn close_section(&mut self) {
        if std::mem::take(&mut self.in_section) {
            self.body.push_str("</section>");
        }
    }

    /// A heading inside a section.
    pub fn subsection(&mut self, title: impl AsRef<str>) -> &mut Self {
        self.push(&format!("<h3>{}</h3>", inline(title.as_ref())))
    }

    /// A paragraph. Backticks make code.
    pub fn paragraph(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.push(&format!("<p>{}</p>", inline(text.as_ref())))
    }

    /// A remark that must not be overlooked.
    pub fn note(&mut self, tone: Tone, text: impl AsRef<str>) -> &mut Self {
        let text = inline(text.as_ref());
        self.push(&format!("<p class=\"note {}\" role=\"note\">{text}</p>", tone.class()))
    }

    /// A list of points.
    pub fn list<C: Into<Cell>>(&mut self, items: impl IntoIterator<Item = C>) -> &mut Self {
        self.body.push_str("<ul>");
        for item in items {
            let _ = write!(self.body, "<li>{}</li>", item.into().html);
        }
        self.push("</ul>")
    }

    /// The few figures that matter most, large: name, value, and what the value rests on.
    pub fn tiles<C: Into<Cell>>(
        &mut self,
        tiles: impl IntoIterator<Item = (impl AsRef<str>, C, impl AsRef<str>)>,
    ) -> &mut Self {
        self.body.push_str("<dl class=\"tiles\">");
        for (name, value, rests_on) in tiles {
            let _ = write!(
                self.body,
                "<div><dt>{}</dt><dd>{}</dd><dd class=\"rests\">{}</dd></div>",
                inline(name.as_ref()),
                value.into().html,
                inline(rests_on.as_ref()),
            );
        }
        self.push("</dl>")
    }

    /// Names and values.
    pub fn key_values<C: Into<Cell>>(
        &mut self,
        pairs: impl IntoIterator<Item = (impl AsRef<str>, C)>,
    ) -> &mut Self {
        self.body.push_str("<dl class=\"pairs\">");
        for (name, value) in pairs {
            let (name, value) = (inline(name.as_ref()), value.into().html);
            let _ = write!(self.body, "<dt>{name}</dt><dd>{value}</dd>");
        }
        self.push("</dl>")
    }

    /// A table. A column of which every cell is a number is right-aligned, its heading too.
    pub fn table<C: Into<Cell>>(
        &mut self,
        headers: impl IntoIterator<Item = impl AsRef<str>>,
        rows: impl IntoIterator<Item = impl IntoIterator<Item = C>>,
    ) -> &mut Self {
        let rows: Vec<Vec<Cell>> =
            rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect();
        // A column of numbers is still one where a value is missing.
        let is_number = |column: usize| {
            let filled =
                || rows.iter().filter_map(|row| row.get(column)).filter(|cell| !is_blank(cell));
            filled().next().is_some() && filled().all(|cell| cell.is_number)
        };
        self.body.push_str("<div class=\"scroll\"><table><thead><tr>");
        for (column, header) in headers.into_iter().enumerate() {
            let class = if is_number(column) { " class=\"number\"" } else { "" };
            let _ = write!(self.body, "<th scope=\"col\"{class}>{}</th>", inline(header.as_ref()));
        }
        self.body.push_str("</tr></thead><tbody>");
        for row in &rows {
            self.body.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let class = if is_number(column) { " class=\"number\"" } else { "" };
                let _ = write!(self.body, "<td{class}>{}</td>", cell.html);
            }
            self.body.push_str("</tr>");
        }
        self.push("</tbody></table></div>")
    }

    /// Text as it is, in letters of one width.
    pub fn code(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.push(&format!("<pre tabindex=\"0\"><code>{}</code></pre>", escape(text.as_ref())))
    }

    /// A block that opens on demand; `inside` writes into it.
    pub fn details(
        &mut self,
        summary: impl AsRef<str>,
        inside: impl FnOnce(&mut Self),
    ) -> &mut Self {
        let summary = inline(summary.as_ref());
        let open = format!("<details><summary>{summary}</summary><div class=\"inside\">");
        self.block(&open, "</div></details>", inside)
    }

    /// Blocks side by side where the page is wide enough, best for figures.
    pub fn columns(&mut self, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.block("<div class=\"columns\">", "</div>", inside)
    }

    fn block(&mut self, open: &str, close: &str, inside: impl FnOnce(&mut Self)) -> &mut Self {
        self.body.push_str(open);
        self.depth += 1;
        inside(self);
        self.depth -= 1;
        self.push(close)
    }

    /// A picture, as [`crate::plot`] draws them.
    pub fn svg(&mut self, svg: impl AsRef<str>) -> &mut Self {
        self.push(&format!("<figure>{}</figure>", svg.as_ref()))
    }

    /// A picture with a caption that says what to see in it. Backticks make code.
    pub fn figure(&mut self, svg: impl AsRef<str>, caption: impl AsRef<str>) -> &mut Self {
        let caption = inline(caption.as_ref());
        self.push(&format!("<figure>{}<figcaption>{caption}</figcaption></figure>", svg.as_ref()))
    }

    /// Markup as it is. The caller escapes.
    pub fn raw(&mut self, html: impl AsRef<str>) -> &mut Self {
        self.push(html.as_ref())
    }

    fn push(&mut self, html: &str) -> &mut Self {
        self.body.push_str(html);
        self.body.push('\n');
        self
    }

    /// More style, after the page's own.
    pub fn style(&mut self, css: impl AsRef<str>) -> &mut Self {
        self.style.push_str(css.as_ref());
        self
    }

    /// A script at the end of the page. It must not be needed to read the page.
    pub fn script(&mut self, javascript: impl AsRef<str>) -> &mut Self {
        self.script.push_str(javascript.as_ref());
        self
    }

    /// Small print at the end. Backticks make code.
    pub fn footer(&mut self, text: impl Into<String>) -> &mut Self {
        self.footer = Some(text.into());
        self
    }

    /// The whole page. The same calls give the same bytes.
    #[must_use]
    pub fn render(&self) -> String {
        let title = escape(&self.title);
        // The policy holds the page to what this module says of it: nothing is loaded from anywhere.
        let scripts = if self.script.is_empty() { "" } else { "; script-src 'unsafe-inline'" };
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             img-src data:; style-src 'unsafe-inline'{scripts}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}{}</style></head>\n<body><header>",
            self.style.replace("</", "<\\/")
        );
        if let Some(kicker) = &self.kicker {
            let _ = write!(page, "<p class=\"kicker\">{}</p>", inline(kicker));
        }
        let _ = write!(page, "<h1>{title}</h1>");
        if let Some(lead) = &self.lead {
            let _ = write!(page, "<p class=\"lead\">{}</p>", inline(lead));
        }
        if !self.facts.is_empty() {
            page.push_str("<dl class=\"facts\">");
            for (name, value) in &self.facts {
                let _ = write!(page, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), value.html);
            }
            page.push_str("</dl>");
        }
        if self.contents.len() > 2 {
            page.push_str("<nav aria-label=\"Contents\"><ul>");
            for (id, title) in &self.contents {
                let _ = write!(page, "<li><a href=\"#{id}\">{}</a></li>", inline(title));
            }
            page.push_str("</ul></nav>");
        }
        let end = if self.in_section { "</section>" } else { "" };
        let _ = write!(page, "</header>\n<main>\n{}{end}</main>\n", self.body);
        if let Some(footer) = &self.footer {
            let _ = writeln!(page, "<footer>{}</footer>", inline(footer));
        }
        if !self.script.is_empty() {
            // The end tag ends a script wherever it stands, even in one of its strings.
            let _ = writeln!(page, "<script>{}</script>", self.script.replace("</", "<\\/"));
        }
        page.push_str("</body></html>\n");
        page
    }
}

fn is_blank(cell: &Cell) -> bool {
    matches!(cell.html.as_str(), "" | "–" | "no data")
}

fn status_tone(status: crate::Status) -> Tone {
    match status {
        crate::Status::Done => Tone::Good,
        crate::Status::Partial | crate::Status::Interrupted => Tone::Warn,
        crate::Status::Failed => Tone::Bad,
        crate::Status::Started => Tone::Info,
    }
}
