//! See the program's manual.
