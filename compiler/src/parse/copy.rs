//! `COPY` and `ADD`.

use std::collections::HashMap;

use super::command::{Typed, count};
use super::flags::{Flags, Takes};
use crate::ast::{Add, Arguments, Copy, CopySources, InlineSource, Instruction, KeepGitDir, RemoteUnpack, Word};
use crate::diagnostic::{Code, Diagnostic};
use crate::lex::heredoc;

const SHARED: [(&str, Takes); 4] =
    [("chown", Takes::Value), ("chmod", Takes::Value), ("link", Takes::Truth), ("exclude", Takes::Values)];

pub(super) fn typed_copy(instruction: &Instruction) -> Typed<Copy> {
    let words = words(instruction, "COPY")?;
    let known = [SHARED.as_slice(), &[("from", Takes::Value), ("parents", Takes::Truth)]].concat();
    let flags = Flags::read(instruction, &known)?;
    let sources = sources(instruction, words, "COPY", &flags)?;
    Ok(Copy { sources, from: flags.non_empty("from"), parents: flags.truth("parents") == Some(true) })
}

pub(super) fn typed_add(instruction: &Instruction) -> Typed<Add> {
    let words = words(instruction, "ADD")?;
    let own = [("keep-git-dir", Takes::Truth), ("checksum", Takes::Value), ("unpack", Takes::Truth)];
    let flags = Flags::read(instruction, &[SHARED.as_slice(), &own].concat())?;
    let sources = sources(instruction, words, "ADD", &flags)?;
    let keep_git_dir = flags.truth("keep-git-dir").map(|keep| if keep { KeepGitDir::Keep } else { KeepGitDir::Drop });
    let unpack = flags.truth("unpack").map(|yes| if yes { RemoteUnpack::Always } else { RemoteUnpack::Never });
    Ok(Add { sources, checksum: flags.non_empty("checksum"), keep_git_dir, unpack })
}

fn words<'a>(instruction: &'a Instruction, name: &str) -> Typed<&'a [Word]> {
    match &instruction.arguments {
        Arguments::Words(words) | Arguments::Array(words) if words.len() > 1 => Ok(words),
        _ => {
            let message = format!(
                "{name} requires at least two arguments, but only one was provided. Destination could not be determined"
            );
            Err(Box::new(count(instruction, message).help(format!("write `{name} source destination`"))))
        }
    }
}

fn sources(instruction: &Instruction, words: &[Word], name: &str, flags: &Flags<'_>) -> Typed<CopySources> {
    let (destination, words) = words.split_last().ok_or_else(|| count(instruction, "no destination"))?;
    // A word with a quote that does not end opens no heredoc; that it cannot be a path either shows when it is expanded.
    let opening = |word: &Word| heredoc::opening(&word.text).ok().flatten();
    if opening(destination).is_some() {
        let message = format!("{name} cannot accept a heredoc as a destination");
        let error = Diagnostic::error(Code::InvalidHeredoc, instruction.span, message).label(destination.span, "");
        return Err(Box::new(error.help("put the destination last")));
    }
    // Of heredocs with the same name, the last one gives the text.
    let bodies: HashMap<&str, &Word> =
        instruction.heredocs.iter().map(|heredoc| (heredoc.name.as_str(), &heredoc.content)).collect();
    let (mut paths, mut inline) = (Vec::new(), Vec::new());
    for word in words {
        let Some(opening) = opening(word) else {
            paths.push(word.clone());
            continue;
        };
        let mut content = bodies.get(opening.name.as_str()).map(|body| Word::clone(body)).unwrap_or_default();
        if opening.chomp {
            content.text = heredoc::without_tabs(&content.text);
        }
        inline.push(InlineSource { name: opening.name, opening: word.clone(), content, body: opening.body });
    }
    Ok(CopySources {
        paths,
        inline,
        destination: destination.clone(),
        owner: flags.non_empty("chown"),
        mode: flags.non_empty("chmod"),
        exclude: flags.values("exclude"),
        link: flags.truth("link") == Some(true),
    })
}
