//! Lists in docker's forms: a table, a JSON object for each row, or a template (`--format`).
//!
//! Source: docker's `cli/command/formatter`.

use std::str::FromStr;

use serde_json::{Map, Value as Json};

use super::table;
use super::template::{Error, Subject, Template, Value};

/// How a list is printed: what `--format` says.
#[derive(Clone, Debug)]
pub enum Form {
    /// In the columns that are usual for it.
    Table,
    /// `table TEMPLATE`: in columns, which tabs divide.
    Columns(Template),
    /// A JSON object a line.
    Json,
    /// A line for each row.
    Lines(Template),
}

/// One thing that can be told of each row.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// What templates and JSON call it.
    pub name: &'static str,
    /// What stands above its column.
    pub heading: &'static str,
}

/// The rows of a list, each with a value for every field.
#[derive(Debug)]
pub struct Listing<'a> {
    /// All that can be told.
    pub fields: &'a [Field],
    /// The names of those that the usual table shows.
    pub columns: &'a [&'static str],
    /// The rows, the fields' values in the fields' order.
    pub rows: Vec<Vec<Json>>,
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // As docker: a shell's single quotes keep these as they are.
        let template = |text: &str| Template::parse(&text.replace("\\t", "\t").replace("\\n", "\n"));
        match text {
            "table" | "" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            _ => match text.strip_prefix("table") {
                Some(columns) => template(columns.trim()).map(Self::Columns),
                None => template(text).map(Self::Lines),
            },
        }
    }
}

impl Listing<'_> {
    /// The list in this form.
    ///
    /// # Errors
    /// If a template names what is not there.
    pub fn render(&self, form: &Form) -> Result<String, Error> {
        match form {
            Form::Table => Ok(self.table()),
            Form::Json => Ok(self.objects().map(|row| row.to_string() + "\n").collect()),
            Form::Lines(template) => {
                self.lines(template).map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
            }
            Form::Columns(template) => {
                let headings: Map<String, Json> =
                    self.fields.iter().map(|field| (field.name.to_owned(), Json::from(field.heading))).collect();
                let mut lines = vec![template.render(&Value::of(&Json::Object(headings)), Subject::Headings)?];
                lines.extend(self.lines(template)?);
                let mut rows: Vec<Vec<String>> =
                    lines.iter().map(|line| line.split('\t').map(str::to_owned).collect()).collect();
                let width = rows.iter().map(Vec::len).max().unwrap_or(0);
                rows.iter_mut().for_each(|row| row.resize(width, String::new()));
                Ok(table::render(&rows))
            }
        }
    }

    fn table(&self) -> String {
        let shown: Vec<usize> =
            self.columns.iter().filter_map(|name| self.fields.iter().position(|field| field.name == *name)).collect();
        let mut rows = vec![shown.iter().map(|at| self.fields[*at].heading.to_owned()).collect::<Vec<_>>()];
        let cell = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        rows.extend(self.rows.iter().map(|row| shown.iter().map(|at| cell(&row[*at])).collect()));
        table::render(&rows)
    }

    fn objects(&self) -> impl Iterator<Item = Json> {
        self.rows.iter().map(|row| {
            let names = self.fields.iter().map(|field| field.name.to_owned());
            Json::Object(names.zip(row.iter().cloned()).collect())
        })
    }

    fn lines(&self, template: &Template) -> Result<Vec<String>, Error> {
        self.objects().map(|row| template.render(&Value::of(&row), Subject::Values)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const FIELDS: [Field; 3] = [
        Field { name: "ID", heading: "IMAGE ID" },
        Field { name: "Tag", heading: "TAG" },
        Field { name: "Size", heading: "SIZE" },
    ];

    fn rendered(form: &str) -> String {
        let rows = vec![vec![Json::from("ab"), Json::from("<none>"), Json::from("1kB")]];
        let form: Form = form.parse().unwrap();
        Listing { fields: &FIELDS, columns: &["Tag", "ID"], rows }.render(&form).unwrap()
    }

    #[test]
    fn forms() {
        // As `docker images` prints them.
        assert_eq!(rendered("table"), "TAG       IMAGE ID\n<none>    ab\n");
        assert_eq!(rendered("json"), "{\"ID\":\"ab\",\"Tag\":\"<none>\",\"Size\":\"1kB\"}\n");
        assert_eq!(rendered("{{.ID}}:{{.Tag}}"), "ab:<none>\n");
        assert_eq!(rendered("{{json .}}"), "{\"ID\":\"ab\",\"Tag\":\"<none>\",\"Size\":\"1kB\"}\n");
        assert_eq!(rendered("table {{.ID}}:{{.Tag}}\\t{{.Size}}"), "IMAGE ID:TAG   SIZE\nab:<none>      1kB\n");
        assert_eq!(rendered("table {{upper .Size}}\t{{json .ID}}"), "SIZE      IMAGE ID\n1KB       \"ab\"\n");
    }
}
