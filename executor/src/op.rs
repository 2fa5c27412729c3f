//! The operations, one file each: how what the plan says is carried out.

pub mod copy;
pub mod git;
pub mod http;
pub mod input;
pub mod make_dir;
pub mod run;
pub mod taking;
pub mod way;
