//! trueup
fn main() {}
