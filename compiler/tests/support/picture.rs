//! Whether a picture of a plan can be read: no two boxes overlap, and no line crosses a box.

/// A rectangle or a level or upright piece of a line: left, top, right, bottom.
type Area = [i64; 4];

/// What is wrong with a picture; nothing if it can be read.
pub(crate) fn tangled(svg: &str) -> Option<String> {
    let boxes: Vec<Area> = svg.split("<rect class=\"face\" ").skip(1).map(face).collect();
    let lines: Vec<Area> = svg.split("<path class=\"edge").skip(1).flat_map(pieces).collect();
    for (at, one) in boxes.iter().enumerate() {
        if let Some(other) = boxes[at + 1..].iter().find(|other| overlap(one, other)) {
            return Some(format!("the boxes {one:?} and {other:?} overlap"));
        }
        if let Some(line) = lines.iter().find(|line| overlap(one, line)) {
            return Some(format!("the line {line:?} crosses the box {one:?}"));
        }
    }
    None
}

fn face(element: &str) -> Area {
    let attribute = |name: &str| -> i64 {
        let (_, rest) = element.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let (x, y) = (attribute("x"), attribute("y"));
    [x, y, x + attribute("width"), y + attribute("height")]
}

/// The pieces of a path; the corners are round, which is near enough to their ends.
fn pieces(element: &str) -> Vec<Area> {
    let (_, path) = element.split_once(" d=\"").unwrap();
    let path = path.split('"').next().unwrap();
    let mut points: Vec<(i64, i64)> = Vec::new();
    for command in path.split(['M', 'L', 'Q']).skip(1) {
        match command.split_once('H') {
            Some((start, x)) => {
                points.push(point(start));
                points.push((x.parse().unwrap(), points[points.len() - 1].1));
            }
            // Of a curve, its end.
            None => points.push(point(command)),
        }
    }
    points
        .windows(2)
        .map(|ends| {
            let [(x1, y1), (x2, y2)] = [ends[0], ends[1]];
            [x1.min(x2), y1.min(y2), x1.max(x2), y1.max(y2)]
        })
        .collect()
}

/// The last point of a command.
fn point(command: &str) -> (i64, i64) {
    let numbers: Vec<i64> = command.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (numbers[numbers.len() - 2], numbers[numbers.len() - 1])
}

/// Whether one lies in the inside of the other, be it a line or a rectangle.
fn overlap(one: &Area, other: &Area) -> bool {
    one[0] < other[2].max(other[0] + 1)
        && other[0] < one[2]
        && one[1] < other[3].max(other[1] + 1)
        && other[1] < one[3]
        && other[2] > one[0]
        && other[3] > one[1]
}

#[test]
fn what_is_tangled_is_seen() {
    let face = |x: i64, y: i64| format!("<rect class=\"face\" x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\"/>");
    let line = |path: &str| format!("<path class=\"edge\" d=\"{path}\"/>");
    assert_eq!(tangled(&(face(0, 0) + &face(20, 0) + &line("M10 5L20 5"))), None);
    assert_eq!(tangled(&(face(0, 0) + &face(20, 0) + &line("M10 5H20"))), None);
    assert!(tangled(&(face(0, 0) + &face(5, 5))).is_some_and(|problem| problem.contains("overlap")));
    for path in ["M10 5L40 5", "M10 5H40", "M10 5L13 5Q15 5 15 7L15 20", "M25 0L25 30"] {
        let crosses = path != "M10 5L13 5Q15 5 15 7L15 20";
        assert_eq!(tangled(&(face(0, 0) + &face(20, 0) + &line(path))).is_some(), crosses, "{path}");
    }
}
