//! The schema as clients fetch it: server reflection, v1 and v1alpha, which have the same messages.

use crate::schema::grpc::reflection::v1 as wire;
use prost::Message;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use wire::server_reflection_request::MessageRequest;
use wire::server_reflection_response::MessageResponse;

/// Under which names reflection gives the schema's files. Clients that go by symbol take either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileNames {
    /// `spacex_api/device/...`, as terminals since May 2025.
    #[default]
    New,
    /// `spacex/api/device/...`, as before; for clients that ask for these names.
    Old,
}

const NOT_FOUND: i32 = crate::Code::NotFound as i32;
const UNIMPLEMENTED: i32 = crate::Code::Unimplemented as i32;

static NEW: LazyLock<Schema> = LazyLock::new(|| Schema::read(|name| name.to_owned()));
static OLD: LazyLock<Schema> =
    LazyLock::new(|| Schema::read(|name| name.replacen("spacex_api/", "spacex/api/", 1)));

/// All files, and what is in them.
struct Schema {
    /// Encoded, by name.
    files: BTreeMap<String, Vec<u8>>,
    /// The file of each message, enum, service and method, by full name.
    symbols: BTreeMap<String, String>,
    services: Vec<String>,
}

impl Schema {
    fn read(rename: impl Fn(&str) -> String) -> Self {
        const BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schema.bin"));
        let set = FileDescriptorSet::decode(BYTES).expect("the build wrote the descriptor set");
        let mut schema = Self {
            files: BTreeMap::new(),
            symbols: BTreeMap::new(),
            services: Vec::new(),
        };
        for mut file in set.file {
            file.name = file.name.as_deref().map(&rename);
            for dependency in &mut file.dependency {
                *dependency = rename(dependency);
            }
            schema.add(&file);
        }
        schema
    }

    fn add(&mut self, file: &FileDescriptorProto) {
        let mut names = Vec::new();
        for message in &file.message_type {
            name_message(file.package(), message, &mut names);
        }
        names.extend(
            file.enum_type
                .iter()
                .map(|e| format!("{}.{}", file.package(), e.name())),
        );
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            names.extend(
                service
                    .method
                    .iter()
                    .map(|m| format!("{name}.{}", m.name())),
            );
            self.services.push(name.clone());
            names.push(name);
        }
        self.symbols
            .extend(names.into_iter().map(|name| (name, file.name().to_owned())));
        self.files
            .insert(file.name().to_owned(), file.encode_to_vec());
    }

    fn file(&self, name: &str) -> MessageResponse {
        self.files.get(name).map_or_else(
            || error(NOT_FOUND, format!("no file {name}")),
            |bytes| {
                let file_descriptor_proto = vec![bytes.clone()];
                MessageResponse::FileDescriptorResponse(wire::FileDescriptorResponse {
                    file_descriptor_proto,
                })
            },
        )
    }
}

fn name_message(parent: &str, message: &DescriptorProto, names: &mut Vec<String>) {
    let name = format!("{parent}.{}", message.name());
    for nested in &message.nested_type {
        name_message(&name, nested, names);
    }
    names.extend(
        message
            .enum_type
            .iter()
            .map(|e| format!("{name}.{}", e.name())),
    );
    names.push(name);
}

fn error(error_code: i32, error_message: String) -> MessageResponse {
    MessageResponse::ErrorResponse(wire::ErrorResponse {
        error_code,
        error_message,
    })
}

/// Answers one message of the reflection stream.
pub(crate) fn answer(
    names: FileNames,
    request: wire::ServerReflectionRequest,
) -> wire::ServerReflectionResponse {
    let schema = match names {
        FileNames::New => &*NEW,
        FileNames::Old => &*OLD,
    };
    let answer = match &request.message_request {
        Some(MessageRequest::FileByFilename(name)) => schema.file(name),
        Some(MessageRequest::FileContainingSymbol(symbol)) => match schema.symbols.get(symbol) {
            Some(file) => schema.file(file),
            None => error(NOT_FOUND, format!("no symbol {symbol}")),
        },
        Some(MessageRequest::FileContainingExtension(_)) => {
            error(NOT_FOUND, "there are no extensions".to_owned())
        }
        Some(MessageRequest::AllExtensionNumbersOfType(name))
            if schema.symbols.contains_key(name) =>
        {
            MessageResponse::AllExtensionNumbersResponse(wire::ExtensionNumberResponse {
                base_type_name: name.clone(),
                extension_number: Vec::new(),
            })
        }
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
            error(NOT_FOUND, format!("no type {name}"))
        }
        Some(MessageRequest::ListServices(_)) => {
            let service = schema
                .services
                .iter()
                .map(|name| wire::ServiceResponse { name: name.clone() });
            MessageResponse::ListServicesResponse(wire::ListServiceResponse {
                service: service.collect(),
            })
        }
        None => error(UNIMPLEMENTED, "no request".to_owned()),
    };
    wire::ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: Some(answer),
    }
}
