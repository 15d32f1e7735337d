//! Compiles the schema (no protoc needed) to Rust and to the descriptor set that reflection hands out.
#![allow(
    clippy::disallowed_methods,
    reason = "a build script reads and writes files"
)]

use prost::Message;
use std::path::{Path, PathBuf};
use std::{env, fs};

const REFLECTION: &str = "grpc/reflection/v1/reflection.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    // The older version of the reflection service has the same messages under another package.
    let alpha = REFLECTION.replace("/v1/", "/v1alpha/");
    let generated = out.join("proto");
    let text = fs::read_to_string(Path::new("proto").join(REFLECTION))?;
    fs::create_dir_all(generated.join("grpc/reflection/v1alpha"))?;
    fs::write(
        generated.join(&alpha),
        text.replace("reflection.v1;", "reflection.v1alpha;"),
    )?;

    let mut compiler = protox::Compiler::new([PathBuf::from("proto"), generated])?;
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(["spacex_api/device/device.proto", REFLECTION, &alpha])?;
    let mut set = compiler.file_descriptor_set();
    fs::write(out.join("schema.bin"), set.encode_to_vec())?;
    set.file.retain(|file| file.name() != alpha);
    prost_build::Config::new()
        .include_file("schema.rs")
        .compile_fds(set)?;
    Ok(())
}
