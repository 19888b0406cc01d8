//! From a model's reply to source text.

/// Longest source taken, in bytes.
const MOST: usize = 256 << 10;
const SEARCH: &str = "<<<<<<< SEARCH";
const MIDDLE: &str = "=======";
const REPLACE: &str = ">>>>>>> REPLACE";

/// The last fenced block that defines the kernel.
///
/// # Errors
/// In one line, when there is none.
pub fn candidate_in(reply: &str) -> Result<String, String> {
    let mut found = None;
    let mut open: Option<String> = None;
    for line in reply.lines() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(_)) => open = Some(String::new()),
            (Some(block), Some(_)) => {
                if block.contains("tetrad_kernel") {
                    found = Some(std::mem::take(block));
                }
                open = None;
            }
            (Some(block), None) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    match (found, open) {
        (Some(source), _) => fitting(source),
        (None, Some(_)) => Err("its code block does not end".to_owned()),
        (None, None) => Err("no fenced block defines `tetrad_kernel`".to_owned()),
    }
}

/// `parent` with the changes of a reply.
///
/// # Errors
/// In one line, when there are none, or one does not fit.
pub fn patched(parent: &str, reply: &str) -> Result<String, String> {
    let changes = changes(reply)?;
    let mut source: Vec<&str> = parent.lines().map(str::trim_end).collect();
    for (idx, (search, replace)) in changes.iter().enumerate() {
        let number = idx + 1;
        if search.is_empty() {
            return Err(format!("block {number} has an empty SEARCH"));
        }
        let places: Vec<usize> = (0..source.len().saturating_sub(search.len() - 1))
            .filter(|at| source[*at..*at + search.len()] == search[..])
            .collect();
        match places.as_slice() {
            [at] => {
                source.splice(*at..*at + search.len(), replace.iter().copied());
            }
            [] => return Err(format!("block {number}: its SEARCH lines are not in the parent")),
            many => {
                let n = many.len();
                return Err(format!("block {number}: its SEARCH lines occur {n} times"));
            }
        }
    }
    let text = source.join("\n") + "\n";
    let before: Vec<&str> = parent.lines().map(str::trim_end).collect();
    if text == before.join("\n") + "\n" {
        return Err("its blocks change nothing".to_owned());
    }
    if !text.contains("tetrad_kernel") {
        return Err("its blocks take `tetrad_kernel` away".to_owned());
    }
    fitting(text)
}

type Change<'a> = (Vec<&'a str>, Vec<&'a str>);

fn changes(reply: &str) -> Result<Vec<Change<'_>>, String> {
    enum Place {
        Outside,
        Search,
        Replace,
    }
    let (mut changes, mut place) = (Vec::new(), Place::Outside);
    let (mut search, mut replace) = (Vec::new(), Vec::new());
    for line in reply.lines().map(str::trim_end) {
        match (&place, line.trim_start()) {
            (Place::Outside, SEARCH) => place = Place::Search,
            (Place::Search, MIDDLE) => place = Place::Replace,
            (Place::Replace, REPLACE) => {
                changes.push((std::mem::take(&mut search), std::mem::take(&mut replace)));
                place = Place::Outside;
            }
            (_, SEARCH) => return Err(format!("block {} does not end", changes.len() + 1)),
            (Place::Outside, _) => {}
            (Place::Search, _) => search.push(line),
            (Place::Replace, _) => replace.push(line),
        }
    }
    match place {
        Place::Outside if changes.is_empty() => Err("no SEARCH/REPLACE block in it".to_owned()),
        Place::Outside => Ok(changes),
        _ => Err(format!("block {} does not end", changes.len() + 1)),
    }
}

fn fitting(source: String) -> Result<String, String> {
    if source.len() > MOST {
        return Err(format!("its code has {} bytes, more than {MOST}", source.len()));
    }
    if source.contains('\0') {
        return Err("its code contains a zero byte".to_owned());
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_block_with_the_kernel_counts() {
        let reply = "First:\n```c\nvoid tetrad_kernel(a)\n```\nbetter:\n```c\nvoid tetrad_kernel(b)\n```\n\
                     and\n```sh\nmake\n```\n";
        assert_eq!(candidate_in(reply).unwrap(), "void tetrad_kernel(b)\n");
    }

    #[test]
    fn replies_without_a_whole_kernel_say_why() {
        for (reply, part) in [
            ("I would rather not.", "no fenced block"),
            ("```c\nint main;\n```", "no fenced block"),
            ("```c\nvoid tetrad_kernel(", "does not end"),
            ("```c\ntetrad_kernel \0\n```", "zero byte"),
        ] {
            assert!(candidate_in(reply).unwrap_err().contains(part), "{reply}");
        }
        let long = format!("```c\ntetrad_kernel {}\n```", "x".repeat(MOST));
        assert!(candidate_in(&long).unwrap_err().contains("bytes"));
    }

    const PARENT: &str = "int a;\nvoid tetrad_kernel() {\n    x();  \n    y();\n    y();\n}\n";

    fn block(search: &str, replace: &str) -> String {
        format!("reason\n{SEARCH}\n{search}\n{MIDDLE}\n{replace}\n{REPLACE}\n")
    }

    #[test]
    fn blocks_replace_whole_lines_once_whatever_their_trailing_space() {
        let reply = block("    x();", "    fast();\n    more();") + &block("int a;", "int b;");
        let expected =
            "int b;\nvoid tetrad_kernel() {\n    fast();\n    more();\n    y();\n    y();\n}\n";
        assert_eq!(patched(PARENT, &reply).unwrap(), expected);
        assert!(!patched(PARENT, &block("    x();", "")).unwrap().contains("x()"));
    }

    #[test]
    fn blocks_that_do_not_fit_say_which_and_why() {
        for (reply, part) in [
            ("no change is needed".to_owned(), "no SEARCH/REPLACE"),
            (block("    z();", "q"), "block 1: its SEARCH lines are not"),
            (
                block("int a;", "int b;") + &block("    y();", "q"),
                "block 2: its SEARCH lines occur 2",
            ),
            (format!("{SEARCH}\nint a;\n"), "does not end"),
            (format!("{SEARCH}\n{MIDDLE}\nx\n{REPLACE}\n"), "empty SEARCH"),
            (block("int a;", "int a;"), "change nothing"),
            (block("void tetrad_kernel() {", "void f() {"), "away"),
            (format!("{SEARCH}\na\n{SEARCH}\n"), "does not end"),
        ] {
            let error = patched(PARENT, &reply).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
