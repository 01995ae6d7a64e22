//! Says what the compiler that is here knows: AVX-512 came to stable Rust later than all else that is used.

use std::process::Command;

const WITH_AVX512: u32 = 89;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(has_avx512)");
    if minor_version().is_some_and(|minor| minor >= WITH_AVX512) {
        println!("cargo:rustc-cfg=has_avx512");
    }
}

/// Of `rustc 1.95.0 (...)` the 95.
fn minor_version() -> Option<u32> {
    let rustc = std::env::var_os("RUSTC")?;
    let said = String::from_utf8(Command::new(rustc).arg("--version").output().ok()?.stdout).ok()?;
    said.split('.').nth(1)?.parse().ok()
}
