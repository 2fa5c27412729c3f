//! Filling in a template's tree.

use super::parse::{Branch, Command, Node, Operand, Pipeline};
use super::value::{Nil, Value};
use super::{Problem, Subject, function};

pub(super) fn render(nodes: &[Node], value: &Value, subject: Subject) -> Result<String, Problem> {
    let mut run = Run { out: String::new(), variables: vec![(String::new(), value.clone())], subject };
    run.body(nodes, value)?;
    Ok(run.out)
}

struct Run {
    out: String,
    /// The innermost last; the first is `$`, which has no name.
    variables: Vec<(String, Value)>,
    subject: Subject,
}

/// How a body has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Run {
    fn body(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, Problem> {
        let known = self.variables.len();
        for node in nodes {
            let flow = self.node(node, dot)?;
            if flow != Flow::On {
                self.variables.truncate(known);
                return Ok(flow);
            }
        }
        self.variables.truncate(known);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, Problem> {
        match node {
            Node::Text(text) => self.out.push_str(text),
            Node::Print(pipeline) => {
                let shown = self.pipeline(pipeline, dot)?.shown();
                self.out.push_str(&shown);
            }
            Node::Set { name, is_new, value } => {
                let value = self.pipeline(value, dot)?;
                if *is_new {
                    self.variables.push((name.clone(), value));
                } else {
                    let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
                    known.ok_or_else(|| Problem::NoVariable(name.clone()))?.1 = value;
                }
            }
            Node::If(branch) => return self.branch(branch, dot, |_, dot| dot),
            Node::With(branch) => return self.branch(branch, dot, |value, _| value),
            Node::Range(branch) => self.range(branch, dot)?,
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn branch(
        &mut self,
        branch: &Branch,
        dot: &Value,
        inner: for<'v> fn(&'v Value, &'v Value) -> &'v Value,
    ) -> Result<Flow, Problem> {
        let value = self.pipeline(&branch.pipeline, dot)?;
        if !value.is_true() {
            return self.body(&branch.otherwise, dot);
        }
        let known = self.variables.len();
        self.variables.extend(branch.variables.iter().map(|name| (name.clone(), value.clone())));
        let flow = self.body(&branch.body, inner(&value, dot));
        self.variables.truncate(known);
        flow
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Result<(), Problem> {
        let elements: Vec<(Value, Value)> = match self.pipeline(&branch.pipeline, dot)? {
            Value::List(items) => (0..).map(Value::Int).zip(items).collect(),
            Value::Map(fields) => fields.into_iter().map(|(key, value)| (Value::Text(key), value)).collect(),
            Value::Nil(_) => Vec::new(),
            // The headings of a table have no elements.
            value if self.subject == Subject::Headings => vec![(Value::Int(0), value)],
            other => return Err(Problem::Range(other.kind().to_owned())),
        };
        if elements.is_empty() {
            return self.body(&branch.otherwise, dot).map(drop);
        }
        for (key, value) in elements {
            let known = self.variables.len();
            match branch.variables.as_slice() {
                [name] => self.variables.push((name.clone(), value.clone())),
                [first, second] => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), value.clone()));
                }
                _ => (),
            }
            let flow = self.body(&branch.body, &value)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn pipeline(&self, Pipeline(commands): &Pipeline, dot: &Value) -> Result<Value, Problem> {
        let mut piped: Option<Value> = None;
        for command in commands {
            piped = Some(match command {
                Command::Value(operand) => self.operand(operand, dot)?,
                Command::Call(name, operands) => {
                    let arguments = operands.iter().map(|operand| self.operand(operand, dot));
                    let mut arguments = arguments.collect::<Result<Vec<_>, _>>()?;
                    arguments.extend(piped);
                    function::call(name, &arguments, self.subject)?
                }
            });
        }
        piped.ok_or(Problem::NoExpression)
    }

    fn operand(&self, operand: &Operand, dot: &Value) -> Result<Value, Problem> {
        match operand {
            Operand::Dot(path) => fields(dot, path),
            Operand::Variable(name, path) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                fields(&known.ok_or_else(|| Problem::NoVariable(name.clone()))?.1, path)
            }
            Operand::Text(text) => Ok(Value::Text(text.clone())),
            Operand::Int(number) => Ok(Value::Int(*number)),
            Operand::Bool(truth) => Ok(Value::Bool(*truth)),
            Operand::Nil => Ok(Value::Nil(Nil::Pointer)),
            Operand::Function(name) => function::call(name, &[], self.subject),
            Operand::Nested(pipeline, path) => fields(&self.pipeline(pipeline, dot)?, path),
        }
    }
}

fn fields(value: &Value, path: &[String]) -> Result<Value, Problem> {
    let mut value = value;
    for name in path {
        value = match value {
            Value::Struct(fields) => {
                let found = fields.iter().find(|(known, _)| known == name);
                let known = || fields.iter().map(|(known, _)| format!("`{known}`")).collect::<Vec<_>>().join(", ");
                &found.ok_or_else(|| Problem::NoField { name: name.clone(), known: known() })?.1
            }
            Value::Map(fields) => fields.get(name).unwrap_or(&Value::Nil(Nil::NoValue)),
            Value::Nil(Nil::Map) => &Value::Nil(Nil::NoValue),
            other => return Err(Problem::Fieldless(other.kind().to_owned(), name.clone())),
        };
    }
    Ok(value.clone())
}
