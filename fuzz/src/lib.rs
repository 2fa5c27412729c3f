//! Laws of the compiler that hold for every input, in a form that fuzz targets can try them in.
//! It does not know where inputs come from.

pub mod case;
pub mod plan;
pub mod spans;
