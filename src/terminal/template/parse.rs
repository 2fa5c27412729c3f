//! From the pieces of a template to its tree.

use super::lex::{Piece, Token};
use super::{Problem, function};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// Prints what a pipeline gives.
    Print(Pipeline),
    /// `$x := …` or `$x = …`
    Set {
        name: String,
        is_new: bool,
        value: Pipeline,
    },
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
}

/// A pipeline and what is done depending on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    /// The variables that get the value; of `range` perhaps two, the first for the key.
    pub(super) variables: Vec<String>,
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands, of which each gets the value of the one before as its last argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipeline(pub(super) Vec<Command>);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    Value(Operand),
    Call(String, Vec<Operand>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    Dot(Vec<String>),
    Variable(String, Vec<String>),
    Text(String),
    Int(i64),
    Bool(bool),
    Nil,
    /// A function without arguments.
    Function(String),
    /// A pipeline in parentheses, and fields of its value.
    Nested(Pipeline, Vec<String>),
}

/// How deep parentheses and branches may lie in each other.
const DEPTH: usize = 100;

pub(super) fn nodes(pieces: &[Piece]) -> Result<Vec<Node>, Problem> {
    let mut parser = Parser { pieces, at: 0, loops: 0, depth: 0 };
    let (nodes, end) = parser.body()?;
    match end {
        None => Ok(nodes),
        Some(End::End) => Err(Problem::Stray("end".to_owned())),
        Some(End::Else(_)) => Err(Problem::Stray("else".to_owned())),
    }
}

struct Parser<'a> {
    pieces: &'a [Piece],
    at: usize,
    /// How many `range` it is in.
    loops: usize,
    depth: usize,
}

/// What ends a body.
enum End<'a> {
    End,
    /// With what follows on the same line: nothing, or `if` or `with` and the like.
    Else(&'a [Token]),
}

impl<'a> Parser<'a> {
    fn body(&mut self) -> Result<(Vec<Node>, Option<End<'a>>), Problem> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.get(self.at) {
            self.at += 1;
            let tokens = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text.clone()));
                    continue;
                }
                Piece::Action(tokens) => tokens.as_slice(),
            };
            match tokens {
                [Token::Word(word)] if word == "end" => return Ok((nodes, Some(End::End))),
                [Token::Word(word), rest @ ..] if word == "else" => return Ok((nodes, Some(End::Else(rest)))),
                _ => nodes.push(self.action(tokens)?),
            }
        }
        Ok((nodes, None))
    }

    fn action(&mut self, tokens: &'a [Token]) -> Result<Node, Problem> {
        match tokens {
            [Token::Word(word), rest @ ..] => match word.as_str() {
                "if" => Ok(Node::If(self.branch("if", rest)?)),
                "with" => Ok(Node::With(self.branch("with", rest)?)),
                "range" => {
                    self.loops += 1;
                    let branch = self.branch("range", rest);
                    self.loops -= 1;
                    Ok(Node::Range(branch?))
                }
                "break" | "continue" if self.loops == 0 || !rest.is_empty() => Err(Problem::Stray(word.clone())),
                "break" => Ok(Node::Break),
                "continue" => Ok(Node::Continue),
                "template" | "define" | "block" => Err(Problem::NotSupported(word.clone())),
                _ => Ok(Node::Print(pipeline(tokens)?)),
            },
            [Token::Variable(name, fields), sign @ (Token::Declare | Token::Assign), rest @ ..]
                if fields.is_empty() =>
            {
                Ok(Node::Set { name: name.clone(), is_new: *sign == Token::Declare, value: pipeline(rest)? })
            }
            _ => Ok(Node::Print(pipeline(tokens)?)),
        }
    }

    fn branch(&mut self, word: &'static str, tokens: &'a [Token]) -> Result<Branch, Problem> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Problem::NotSupported(format!("`{word}` in more than {DEPTH} others")));
        }
        let (variables, rest) = match tokens {
            [Token::Variable(key, _), Token::Comma, Token::Variable(value, _), Token::Declare, rest @ ..]
                if word == "range" =>
            {
                (vec![key.clone(), value.clone()], rest)
            }
            [Token::Variable(value, fields), Token::Declare, rest @ ..] if fields.is_empty() => {
                (vec![value.clone()], rest)
            }
            rest => (Vec::new(), rest),
        };
        let pipeline = pipeline(rest)?;
        let (body, end) = self.body()?;
        let otherwise = match end.ok_or(Problem::NoEnd(word))? {
            End::End => Vec::new(),
            End::Else([]) => match self.body()? {
                (otherwise, Some(End::End)) => otherwise,
                (_, Some(End::Else(_))) => return Err(Problem::Stray("else".to_owned())),
                (_, None) => return Err(Problem::NoEnd(word)),
            },
            // The `end` of the inner one ends both.
            End::Else([Token::Word(inner), rest @ ..]) if inner == "if" => vec![Node::If(self.branch("if", rest)?)],
            End::Else([Token::Word(inner), rest @ ..]) if inner == "with" => {
                vec![Node::With(self.branch("with", rest)?)]
            }
            End::Else([other, ..]) => return Err(unexpected(other)),
        };
        self.depth -= 1;
        Ok(Branch { variables, pipeline, body, otherwise })
    }
}

fn pipeline(tokens: &[Token]) -> Result<Pipeline, Problem> {
    let (pipeline, rest) = commands(tokens, 0)?;
    rest.first().map_or(Ok(pipeline), |token| Err(unexpected(token)))
}

/// A pipeline up to the end, or up to the parenthesis that closes it.
fn commands(mut tokens: &[Token], depth: usize) -> Result<(Pipeline, &[Token]), Problem> {
    if depth > DEPTH {
        return Err(Problem::NotSupported(format!("`(` in more than {DEPTH} others")));
    }
    let mut commands = Vec::new();
    loop {
        let mut operands = Vec::new();
        while let Some((operand, rest)) = operand(tokens, depth)? {
            operands.push((operand, &tokens[0]));
            tokens = rest;
        }
        commands.push(command(operands, commands.is_empty())?);
        match tokens {
            [Token::Pipe, rest @ ..] => tokens = rest,
            rest => return Ok((Pipeline(commands), rest)),
        }
    }
}

fn command(operands: Vec<(Operand, &Token)>, is_first: bool) -> Result<Command, Problem> {
    let mut operands = operands.into_iter();
    let (first, token) = operands.next().ok_or(Problem::NoExpression)?;
    match first {
        Operand::Function(name) => Ok(Command::Call(name, operands.map(|(operand, _)| operand).collect())),
        // A value takes no arguments, neither after it nor from a pipe.
        _ if !is_first => Err(unexpected(token)),
        value => operands.next().map_or(Ok(Command::Value(value)), |(_, token)| Err(unexpected(token))),
    }
}

fn operand(tokens: &[Token], depth: usize) -> Result<Option<(Operand, &[Token])>, Problem> {
    let Some((first, rest)) = tokens.split_first() else { return Ok(None) };
    let operand = match first {
        Token::Field(fields) => Operand::Dot(fields.clone()),
        Token::Variable(name, fields) => Operand::Variable(name.clone(), fields.clone()),
        Token::Text(text) => Operand::Text(text.clone()),
        Token::Int(number) => Operand::Int(*number),
        Token::Word(word) => match word.as_str() {
            "true" => Operand::Bool(true),
            "false" => Operand::Bool(false),
            "nil" => Operand::Nil,
            word if function::NAMES.contains(&word) => Operand::Function(word.to_owned()),
            word => return Err(Problem::NoFunction(word.to_owned())),
        },
        Token::Open => {
            let (nested, rest) = commands(rest, depth + 1)?;
            return match rest {
                [Token::Close(fields), rest @ ..] => Ok(Some((Operand::Nested(nested, fields.clone()), rest))),
                _ => Err(unexpected(first)),
            };
        }
        Token::Close(_) | Token::Pipe | Token::Comma | Token::Declare | Token::Assign => return Ok(None),
    };
    Ok(Some((operand, rest)))
}

fn unexpected(token: &Token) -> Problem {
    let path = |fields: &[String]| fields.iter().map(|field| format!(".{field}")).collect::<String>();
    Problem::Unexpected(match token {
        Token::Field(fields) if fields.is_empty() => ".".to_owned(),
        Token::Field(fields) => path(fields),
        Token::Variable(name, fields) => format!("${name}{}", path(fields)),
        Token::Word(word) => word.clone(),
        Token::Text(text) => format!("{text:?}"),
        Token::Int(number) => number.to_string(),
        Token::Open => "(".to_owned(),
        Token::Close(_) => ")".to_owned(),
        Token::Pipe => "|".to_owned(),
        Token::Comma => ",".to_owned(),
        Token::Declare => ":=".to_owned(),
        Token::Assign => "=".to_owned(),
    })
}
