//! [`History`]: the commits of a project, read from a text that people can read as well.
//!
//! A commit is its message and what it does to files. The lines of a file are indented by four spaces.
//!
//! ```text
//! commit begin
//! write src/{1..3}.c
//!     int f{n}(void) { return {n}; }
//!
//! commit answer more
//! edit src/1.c
//!     -int f1(void) { return 1; }
//!     +int f1(void) { return 42; }
//! rename src/2.c src/two.c
//! delete src/3.c
//! mode 755 configure
//! revert answer less
//! ```
//!
//! `write` with a range makes a file for each number. `edit` has lines that go (`-`), come (`+`) and stay (` `), and an empty line
//! between two places; the lines that go and stay have to be in the file once. Without any, the new lines go to its end.
//! `revert` gives the files of an earlier commit the contents that they had before it.

use std::collections::BTreeMap;

/// All commits, the first of which begins the project.
pub(crate) struct History {
    pub(crate) commits: Vec<Commit>,
}

/// One of them.
pub(crate) struct Commit {
    pub(crate) message: String,
    /// The files after it.
    pub(crate) tree: Tree,
}

/// The files of a project by path.
pub(crate) type Tree = BTreeMap<String, File>;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) content: String,
    pub(crate) mode: u32,
}

/// The permissions of a file of which nothing else is said.
const PLAIN: u32 = 0o644;

impl History {
    /// Reads the text.
    ///
    /// # Panics
    /// If it cannot be read, or a commit does not fit to the files before it.
    #[track_caller]
    pub(crate) fn read(text: &str) -> Self {
        let mut history = Self { commits: Vec::new() };
        let mut lines = text.lines().skip_while(|line| !line.starts_with("commit ")).peekable();
        while let Some(line) = lines.next() {
            let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
            let mut block: Vec<&str> = Vec::new();
            while let Some(line) = lines.next_if(|line| line.is_empty() || line.starts_with("    ")) {
                block.push(line.get(4..).unwrap_or_default());
            }
            while block.last().is_some_and(|line| line.is_empty()) {
                block.pop();
            }
            match verb {
                "commit" => history.begin(rest),
                "revert" => history.revert(rest),
                _ => {
                    let Commit { message, tree } = history.commits.last_mut().unwrap();
                    if let Err(why) = change(tree, verb, rest, &block) {
                        panic!("`{line}` in `{message}`: {why}");
                    }
                }
            }
        }
        history
    }

    fn begin(&mut self, message: &str) {
        let tree = self.commits.last().map_or_else(Tree::new, |commit| commit.tree.clone());
        self.commits.push(Commit { message: message.to_owned(), tree });
    }

    #[track_caller]
    fn revert(&mut self, message: &str) {
        let place = self.commits.iter().position(|commit| commit.message == message);
        let place = place.unwrap_or_else(|| panic!("no commit `{message}` to revert"));
        let (before, after) = (self.commits[place - 1].tree.clone(), self.commits[place].tree.clone());
        let tree = &mut self.commits.last_mut().unwrap().tree;
        for path in before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)) {
            match before.get(path) {
                Some(file) => drop(tree.insert(path.clone(), file.clone())),
                None => drop(tree.remove(path)),
            }
        }
    }
}

/// Does to the files what a line and the block below it say.
fn change(tree: &mut Tree, verb: &str, rest: &str, block: &[&str]) -> Result<(), &'static str> {
    const MISSING: &str = "there is no such file";
    let words: Vec<&str> = rest.split(' ').collect();
    match (verb, words.as_slice()) {
        ("write", [path]) => write(tree, path, &joined(block)),
        ("edit", [path]) => {
            let file = tree.get_mut(*path).ok_or(MISSING)?;
            block.split(|line| line.is_empty()).try_for_each(|hunk| edit(&mut file.content, hunk))?;
        }
        ("delete", [path]) => drop(tree.remove(*path).ok_or(MISSING)?),
        ("rename", [from, to]) => {
            let file = tree.remove(*from).ok_or(MISSING)?;
            tree.insert((*to).to_owned(), file);
        }
        ("mode", [mode, path]) => {
            tree.get_mut(*path).ok_or(MISSING)?.mode = u32::from_str_radix(mode, 8).map_err(|_| "that is no mode")?;
        }
        _ => return Err("that means nothing"),
    }
    Ok(())
}

/// Writes a file, or one for each number of the range in its name.
fn write(tree: &mut Tree, path: &str, content: &str) {
    let range = || {
        let (before, rest) = path.split_once('{')?;
        let (range, after) = rest.split_once('}')?;
        let (first, last) = range.split_once("..")?;
        Some((before, first.parse::<u32>().ok()?..=last.parse().ok()?, after))
    };
    let mut insert = |path: String, content: String| {
        let mode = tree.get(&path).map_or(PLAIN, |file| file.mode);
        tree.insert(path, File { content, mode });
    };
    match range() {
        Some((before, numbers, after)) => {
            for number in numbers {
                insert(format!("{before}{number}{after}"), content.replace("{n}", &number.to_string()));
            }
        }
        None => insert(path.to_owned(), content.to_owned()),
    }
}

/// Makes a change at one place.
fn edit(content: &mut String, hunk: &[&str]) -> Result<(), &'static str> {
    let side = |other: char| {
        let lines: Vec<&str> = hunk.iter().filter(|line| !line.starts_with(other)).map(|line| &line[1..]).collect();
        joined(&lines)
    };
    let (old, new) = (side('+'), side('-'));
    if old.is_empty() {
        content.push_str(&new);
        return Ok(());
    }
    // Whole lines are looked for: the first begins where the file begins or after the end of another.
    let places: Vec<usize> = content.match_indices(&old).map(|(place, _)| place).collect();
    let is_line = |place: &&usize| **place == 0 || content.as_bytes()[**place - 1] == b'\n';
    match places.iter().filter(is_line).collect::<Vec<_>>()[..] {
        [place] => content.replace_range(place..&(place + old.len()), &new),
        [] => return Err("what is to be changed is not there"),
        _ => return Err("what is to be changed is there more than once"),
    }
    Ok(())
}

fn joined(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "What it is.\n\ncommit begin\nwrite a{1..2}\n    x{n}\n\n    y\n\nwrite run\n    go\n\ncommit two\nedit a1\n    -x1\n    +z\n    +z\n\n     y\n    +w\nmode 755 run\nrename a2 b\n\ncommit three\ndelete b\n\ncommit back\nrevert two\n";

    #[test]
    fn a_text_is_a_history() {
        let history = History::read(TEXT);
        let content = |commit: usize, path: &str| {
            history.commits[commit].tree.get(path).map(|file| (file.content.as_str(), file.mode))
        };
        let messages: Vec<_> = history.commits.iter().map(|commit| commit.message.as_str()).collect();
        assert_eq!(messages, ["begin", "two", "three", "back"]);
        assert_eq!([content(0, "a1"), content(0, "a2")], [Some(("x1\n\ny\n", PLAIN)), Some(("x2\n\ny\n", PLAIN))]);
        assert_eq!(content(1, "a1"), Some(("z\nz\n\ny\nw\n", PLAIN)));
        assert_eq!([content(1, "run"), content(1, "a2")], [Some(("go\n", 0o755)), None]);
        assert_eq!([content(1, "b"), content(2, "b")], [content(0, "a2"), None]);
        assert_eq!(history.commits[3].tree, history.commits[0].tree);
    }

    #[test]
    fn changes_that_do_not_fit_are_told() {
        let mut tree = Tree::new();
        write(&mut tree, "f", "a\nb\nb\nab\n");
        let mut tried = |verb, rest, block: &[&str]| change(&mut tree, verb, rest, block).unwrap_err();
        assert_eq!(tried("edit", "f", &["-c", "+d"]), "what is to be changed is not there");
        assert_eq!(tried("edit", "f", &["-b", "+d"]), "what is to be changed is there more than once");
        assert_eq!(tried("delete", "g", &[]), "there is no such file");
        assert_eq!(tried("mode", "8 f", &[]), "that is no mode");
        assert_eq!(tried("move", "f g", &[]), "that means nothing");
        change(&mut tree, "edit", "f", &["-ab"]).unwrap();
        assert_eq!(tree["f"].content, "a\nb\nb\n", "lines are whole");
    }
}
