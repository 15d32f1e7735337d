//! The behaviours that clients depend on (docs/dish-api.md), one test each, on a dish without a network.

use proptest::prelude::*;
use prost::Message;
use skyweave_base::{Geodetic, Span, Time, Utc};
use skyweave_dish::schema::device::{
    self, dish_outage, request::Request as Ask, response::Response as Told,
};
use skyweave_dish::{
    Cause, Code, Device, Disablement, Dish, FileNames, Identity, Look, Permissions, Ping, SAMPLES,
    Schedule, Service, Status, answer_bytes,
};
use std::sync::Mutex;

/// 2026-05-25T12:00:00Z: what the dish is switched on at.
fn noon() -> Time {
    "2026-05-25T12:00:00Z".parse::<Utc>().unwrap().into()
}

const ID: &str = "ut01000000-00000000-00abcdef";

fn dish(permissions: Permissions) -> Dish {
    let identity = Identity {
        id: ID.to_owned(),
        hardware_version: "rev4_prod1".to_owned(),
        software_version: "test".to_owned(),
        country_code: "UA".to_owned(),
        utc_offset_s: 7200,
    };
    Dish::new(identity, permissions, noon())
}

const ALL: Permissions = Permissions {
    location: true,
    context: true,
    config: true,
};

fn planned(start: Time, service: Result<u32, Cause>, clear: bool) -> Schedule {
    let look = |s: i32| Look {
        azimuth_rad: f64::from(s) * 0.3,
        elevation_rad: 0.9,
        clear,
    };
    Schedule {
        start,
        end: start + Span::from_secs(15),
        position: Geodetic::from_degrees(50.45, 30.52).unwrap(),
        horizontal_speed_m_s: 0.0,
        service: service.map(|satellite| Service {
            satellite,
            gateway: 3,
            pop: 1,
            looks: (0..=15).map(look).collect(),
            cell: 99,
        }),
    }
}

/// Lives through seconds: five pings each, lost or answered after so many ms, and bytes down and up.
struct Life {
    dish: Dish,
    now: Time,
}

impl Life {
    fn new(permissions: Permissions) -> Self {
        let mut dish = dish(permissions);
        dish.schedule(planned(noon(), Ok(1), true));
        Self { dish, now: noon() }
    }

    fn seconds(&mut self, n: usize, round_trip_ms: Option<i64>, bytes: (u64, u64)) -> &mut Self {
        for _ in 0..n {
            for i in 0..5 {
                let sent = self.now + Span::from_millis(200 * i);
                self.dish.ping(Ping {
                    sent,
                    round_trip: round_trip_ms.map(Span::from_millis),
                });
            }
            self.now += Span::from_secs(1);
            self.dish.second(self.now, bytes.0, bytes.1);
        }
        self
    }

    fn ask(&mut self, ask: Ask) -> Result<Option<Told>, Status> {
        let request = device::Request {
            id: 7,
            request: Some(ask),
            ..device::Request::default()
        };
        let response = self.dish.answer(request, self.now)?;
        assert_eq!((response.id, response.api_version), (7, 42));
        // The whole is written and read again, as a client would see it.
        let response = device::Response::decode(&response.encode_to_vec()[..]).unwrap();
        Ok(response.response)
    }

    fn status(&mut self) -> device::DishGetStatusResponse {
        match self.ask(Ask::GetStatus(device::GetStatusRequest {})) {
            Ok(Some(Told::DishGetStatus(status))) => status,
            other => panic!("{other:?}"),
        }
    }

    fn history(&mut self) -> device::DishGetHistoryResponse {
        match self.ask(Ask::GetHistory(device::GetHistoryRequest {})) {
            Ok(Some(Told::DishGetHistory(history))) => history,
            other => panic!("{other:?}"),
        }
    }

    fn map(&mut self) -> device::DishGetObstructionMapResponse {
        match self.ask(Ask::DishGetObstructionMap(
            device::DishGetObstructionMapRequest {},
        )) {
            Ok(Some(Told::DishGetObstructionMap(map))) => map,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(&mut self, ask: Ask) -> (Code, String) {
        let status = self.ask(ask).expect_err("it is refused");
        (status.code, status.message)
    }

    fn cause(&mut self) -> Option<dish_outage::Cause> {
        self.status().outage.map(|o| o.cause())
    }
}

#[test]
fn the_schema_is_the_published_one_number_by_number() {
    let shared = std::env::var_os("SKYWEAVE_SHARED")
        .map_or_else(|| "../../../shared".into(), std::path::PathBuf::from);
    let file = shared.join("facts/dish-api-fields.csv");
    let Ok(mut reader) = csv::Reader::from_path(&file) else {
        eprintln!("SKIPPED: {} is not there", file.display());
        return;
    };
    let known = schema();
    let mut compared = 0;
    for row in reader.records() {
        let row = row.unwrap();
        let (kind, parent, number, name, kind_of_value, oneof) = (
            &row[0],
            &row[1],
            row[2].parse::<i32>().unwrap(),
            &row[3],
            &row[4],
            &row[5],
        );
        let found = known
            .get(&format!("{parent}.{name}"))
            .unwrap_or_else(|| panic!("{parent}.{name} is missing"));
        assert_eq!(found.number, number, "{parent}.{name}");
        if kind == "field" {
            assert_eq!(
                (found.kind.as_str(), found.oneof.as_str()),
                (kind_of_value, oneof),
                "{parent}.{name}"
            );
        }
        compared += 1;
    }
    assert_eq!(compared, 573);
}

struct Known {
    number: i32,
    kind: String,
    oneof: String,
}

/// All fields and enum values by full name, out of what reflection hands out.
fn schema() -> std::collections::BTreeMap<String, Known> {
    let mut known = std::collections::BTreeMap::new();
    for file in all_files(FileNames::New) {
        for e in &file.enum_type {
            add_enum(file.package(), e, &mut known);
        }
        for message in &file.message_type {
            add_message(file.package(), message, &mut known);
        }
    }
    known
}

fn add_enum(
    parent: &str,
    e: &prost_types::EnumDescriptorProto,
    known: &mut std::collections::BTreeMap<String, Known>,
) {
    for value in &e.value {
        let (kind, oneof) = (String::new(), String::new());
        known.insert(
            format!("{parent}.{}.{}", e.name(), value.name()),
            Known {
                number: value.number(),
                kind,
                oneof,
            },
        );
    }
}

fn add_message(
    parent: &str,
    message: &prost_types::DescriptorProto,
    known: &mut std::collections::BTreeMap<String, Known>,
) {
    use prost_types::field_descriptor_proto::{Label, Type};
    let name = format!("{parent}.{}", message.name());
    for field in &message.field {
        let json_name = field.json_name();
        assert!(
            !json_name.is_empty() && !json_name.contains('_'),
            "{name}.{}: json_name {json_name}",
            field.name()
        );
        let kind = match field.r#type() {
            Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
            other => other
                .as_str_name()
                .trim_start_matches("TYPE_")
                .to_lowercase(),
        };
        let repeated = if field.label() == Label::Repeated {
            "repeated "
        } else {
            ""
        };
        let oneof = field
            .oneof_index
            .map_or("", |i| message.oneof_decl[i as usize].name())
            .to_owned();
        let known_field = Known {
            number: field.number(),
            kind: format!("{repeated}{kind}"),
            oneof,
        };
        known.insert(format!("{name}.{}", field.name()), known_field);
    }
    for nested in &message.nested_type {
        add_message(&name, nested, known);
    }
    for e in &message.enum_type {
        add_enum(&name, e, known);
    }
}

/// Who is never asked: reflection needs no device.
struct Nobody;

impl Device for Nobody {
    fn answer(&self, _: device::Request) -> Result<device::Response, Status> {
        Err(Status {
            code: Code::Unavailable,
            message: String::new(),
        })
    }
}

mod reflection {
    pub(crate) use skyweave_dish::schema::grpc::reflection::v1::server_reflection_request::MessageRequest;
    pub(crate) use skyweave_dish::schema::grpc::reflection::v1::server_reflection_response::MessageResponse;
    pub(crate) use skyweave_dish::schema::grpc::reflection::v1::*;
}

fn reflect(
    names: FileNames,
    version: &str,
    ask: reflection::MessageRequest,
) -> reflection::MessageResponse {
    let request = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(ask),
    };
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let answer = answer_bytes(&Nobody, names, &path, &request.encode_to_vec()).unwrap();
    let answer = reflection::ServerReflectionResponse::decode(answer).unwrap();
    assert_eq!(answer.original_request, Some(request));
    answer.message_response.unwrap()
}

/// Collects files as clients do: from the listed services by symbol, then imports by name, until nothing is missing.
fn all_files(names: FileNames) -> Vec<prost_types::FileDescriptorProto> {
    use reflection::{MessageRequest as A, MessageResponse as T};
    let T::ListServicesResponse(list) = reflect(names, "v1", A::ListServices(String::new())) else {
        panic!()
    };
    let mut asks: Vec<A> = list
        .service
        .into_iter()
        .map(|s| A::FileContainingSymbol(s.name))
        .collect();
    let mut files: Vec<prost_types::FileDescriptorProto> = Vec::new();
    while let Some(ask) = asks.pop() {
        let T::FileDescriptorResponse(found) = reflect(names, "v1", ask.clone()) else {
            panic!("{ask:?}")
        };
        for bytes in found.file_descriptor_proto {
            let file = prost_types::FileDescriptorProto::decode(&bytes[..]).unwrap();
            if files.iter().all(|f| f.name() != file.name()) {
                asks.extend(file.dependency.iter().cloned().map(A::FileByFilename));
                files.push(file);
            }
        }
    }
    files
}

#[test]
fn reflection_gives_every_file_under_both_layouts_and_both_versions() {
    use reflection::{MessageRequest as A, MessageResponse as T};
    for (names, folder) in [
        (FileNames::New, "spacex_api/device/"),
        (FileNames::Old, "spacex/api/device/"),
    ] {
        let files = all_files(names);
        assert_eq!(files.len(), 11, "nine of the schema, two of reflection");
        for part in [
            "common",
            "dish",
            "dish_config",
            "wifi",
            "device",
            "account_shard",
        ] {
            assert!(
                files
                    .iter()
                    .any(|f| f.name() == format!("{folder}{part}.proto")),
                "{folder}{part}"
            );
        }
        assert!(
            files
                .iter()
                .all(|f| f.dependency.iter().all(|d| !d.starts_with("google/")))
        );
        let dish = files
            .iter()
            .find(|f| f.name().ends_with("/dish.proto"))
            .unwrap();
        for message in ["DishAlerts", "DishOutage"] {
            assert!(dish.message_type.iter().any(|m| m.name() == message));
        }
    }
    for version in ["v1", "v1alpha"] {
        let T::ListServicesResponse(list) =
            reflect(FileNames::New, version, A::ListServices(String::new()))
        else {
            panic!()
        };
        assert_eq!(list.service.len(), 3);
        for symbol in [
            "SpaceX.API.Device.Device",
            "SpaceX.API.Device.Device.Handle",
            "SpaceX.API.Device.DishOutage.Cause",
            "SpaceX.API.Device.DishGetDiagnosticsResponse.Location",
            "grpc.reflection.v1alpha.ServerReflection",
        ] {
            let found = reflect(
                FileNames::New,
                version,
                A::FileContainingSymbol(symbol.to_owned()),
            );
            assert!(matches!(found, T::FileDescriptorResponse(_)), "{symbol}");
        }
        for ask in [
            A::FileContainingSymbol("a.B".to_owned()),
            A::FileByFilename("a.proto".to_owned()),
        ] {
            let T::ErrorResponse(error) = reflect(FileNames::New, version, ask) else {
                panic!()
            };
            assert_eq!(error.error_code, 5);
        }
    }
}

#[test]
fn status_has_everything_that_clients_take_for_granted() {
    let mut life = Life::new(Permissions::default());
    life.seconds(3, Some(25), (125_000, 12_500));
    let status = life.status();
    assert_eq!(status.device_info.as_ref().unwrap().id, ID);
    assert_eq!(status.device_state.unwrap().uptime_s, 3);
    assert!((status.pop_ping_latency_ms, status.pop_ping_drop_rate) == (25.0, 0.0));
    assert!((status.downlink_throughput_bps, status.uplink_throughput_bps) == (1e6, 1e5));
    assert_eq!(status.outage, None, "absent while there is service");
    assert_eq!(
        status.alerts,
        Some(device::DishAlerts::default()),
        "present and empty"
    );
    assert!(
        status.ned2dish_quaternion.is_some()
            && status.config.is_some()
            && status.gps_stats.is_some()
    );
    assert_eq!(status.disablement_code, 1);
    assert_eq!(
        (
            status.dl_bandwidth_restricted_reason,
            status.ul_bandwidth_restricted_reason
        ),
        (1, 1)
    );
    assert_eq!(
        (status.software_update_state, status.class_of_service),
        (1, 1)
    );
    assert!(status.is_snr_above_noise_floor && status.seconds_to_first_nonempty_slot == 0.0);
    let obstruction = status.obstruction_stats.unwrap();
    assert!(
        obstruction.avg_prolonged_obstruction_interval_s.is_nan() && obstruction.valid_s == 3.0
    );
    let init = status.initialization_duration_seconds.unwrap();
    assert!(init.first_pop_ping >= 1 && init.stable_connection >= 1 && init.rf_ready >= 1);
    let q = status.ned2dish_quaternion.unwrap();
    let norm = q.q_scalar.powi(2) + q.q_x.powi(2) + q.q_y.powi(2) + q.q_z.powi(2);
    assert!((norm - 1.0).abs() < 1e-6);
    let alignment = status.alignment_stats.unwrap();
    assert!((alignment.tilt_angle_deg + alignment.boresight_elevation_deg - 90.0).abs() < 1e-4);
}

#[test]
fn history_is_five_rings_of_900_that_never_change_what_they_told() {
    let mut life = Life::new(Permissions::default());
    let fresh = life.history();
    assert_eq!(
        fresh.current, 1,
        "clients index the newest sample without asking whether there is one"
    );
    life.seconds(5, Some(30), (0, 0));
    let before = life.history();
    life.seconds(1000, Some(40), (0, 0));
    let after = life.history();
    assert_eq!((before.current, after.current), (6, 1006));
    for rings in [&before, &after] {
        for length in [
            rings.pop_ping_drop_rate.len(),
            rings.pop_ping_latency_ms.len(),
            rings.downlink_throughput_bps.len(),
            rings.uplink_throughput_bps.len(),
            rings.power_in.len(),
        ] {
            assert_eq!(length, SAMPLES);
        }
    }
    assert!(
        before.pop_ping_latency_ms[6..].iter().all(|ms| *ms == 0.0),
        "not written yet"
    );
    assert!(
        before.pop_ping_latency_ms[1..6]
            .iter()
            .all(|ms| *ms == 30.0)
    );
    assert!(
        (
            after.pop_ping_latency_ms[(1006 - 1) % 900],
            after.pop_ping_latency_ms[0]
        ) == (40.0, 40.0)
    );
    assert!(after.power_in.iter().all(|w| *w > 10.0 && *w < 100.0));
    let uptime = life.status().device_state.unwrap().uptime_s;
    assert_eq!(uptime, 1005, "`current` follows it");
}

#[test]
fn an_outage_stands_in_the_status_while_it_lasts_and_in_the_history_after() {
    let mut life = Life::new(Permissions::default());
    assert_eq!(life.cause(), Some(dish_outage::Cause::Booting));
    life.seconds(2, Some(25), (0, 0));
    assert_eq!(life.cause(), None);
    // A ping alone is no outage.
    life.dish.ping(Ping {
        sent: life.now,
        round_trip: None,
    });
    assert_eq!(life.cause(), None);
    life.seconds(1, Some(25), (0, 0));
    let begun = life.now;
    life.dish.schedule(planned(begun, Err(Cause::NoSats), true));
    life.seconds(4, None, (0, 0));
    let running = life.status().outage.unwrap();
    assert_eq!(
        (running.cause(), running.duration_ns),
        (dish_outage::Cause::NoSats, 4_000_000_000)
    );
    assert_eq!(life.status().seconds_to_first_nonempty_slot, -1.0);
    life.dish
        .schedule(planned(life.now + Span::from_secs(2), Ok(2), true));
    assert_eq!(life.status().seconds_to_first_nonempty_slot, 2.0);
    life.seconds(2, None, (0, 0)).seconds(1, Some(25), (0, 0));
    assert_eq!(life.cause(), None);
    let history = life.history();
    let over = history.outages.last().unwrap();
    // GPS time: Unix time less 315,964,800 s, plus 18 leap seconds.
    let gps_ns = Utc::from(begun).unix_nanos() - 315_964_800_000_000_000 + 18_000_000_000;
    assert_eq!(
        (over.start_timestamp_ns, over.duration_ns, over.did_switch),
        (gps_ns, 6_000_000_000, true)
    );
    assert_eq!(
        history.outages[0].cause(),
        dish_outage::Cause::Booting,
        "oldest first"
    );
    let event = history.event_log.unwrap().events.pop().unwrap();
    assert_eq!(
        event.start_timestamp_ns,
        Utc::from(begun).unix_nanos(),
        "events are in Unix time"
    );
    assert_eq!(event.reason(), device::EventReason::OutageNoSats);
    assert_eq!(
        history.pop_ping_drop_rate[(history.current as usize - 2) % 900],
        1.0
    );
}

#[test]
fn loss_without_a_reason_in_the_plan_is_no_pings_and_behind_something_is_obstructed() {
    let mut life = Life::new(Permissions::default());
    life.seconds(1, Some(25), (0, 0)).seconds(1, None, (0, 0));
    assert_eq!(life.cause(), Some(dish_outage::Cause::NoPings));
    life.seconds(1, Some(25), (0, 0));
    life.dish.schedule(planned(life.now, Ok(1), false));
    life.seconds(2, None, (0, 0));
    assert_eq!(life.cause(), Some(dish_outage::Cause::Obstructed));
    let stats = life.status().obstruction_stats.unwrap();
    assert!(
        stats.currently_obstructed
            && stats.fraction_obstructed > 0.0
            && stats.time_obstructed > 0.0
    );
}

#[test]
fn obstructions_that_have_passed_are_averaged() {
    let mut life = Life::new(Permissions::default());
    let stats = |life: &mut Life| life.status().obstruction_stats.unwrap();
    // Three and one seconds behind something, eleven seconds from the first to the second.
    for (free, hidden) in [(2, 3), (7, 1)] {
        life.dish.schedule(planned(life.now, Ok(1), true));
        life.seconds(free, Some(25), (0, 0));
        life.dish.schedule(planned(life.now, Ok(1), false));
        life.seconds(hidden, None, (0, 0));
        life.dish.schedule(planned(life.now, Ok(1), true));
        if hidden == 3 {
            life.seconds(1, Some(25), (0, 0));
            let one = stats(&mut life);
            assert!(
                !one.avg_prolonged_obstruction_valid,
                "of one there is no interval"
            );
            assert!(one.avg_prolonged_obstruction_interval_s.is_nan());
            assert!((one.avg_prolonged_obstruction_duration_s - 3.0).abs() < 0.3);
        }
    }
    life.seconds(1, Some(25), (0, 0));
    let both = stats(&mut life);
    assert!(both.avg_prolonged_obstruction_valid);
    // Outages begin and end with pings, 0.2 s apart.
    assert!((both.avg_prolonged_obstruction_duration_s - 2.0).abs() < 0.3);
    assert!((both.avg_prolonged_obstruction_interval_s - 11.0).abs() < 0.3);
}

#[test]
fn a_disablement_is_no_outage() {
    let mut life = Life::new(Permissions::default());
    life.seconds(2, Some(25), (0, 0));
    for (code, number) in [
        (Disablement::BlockedCountry, 6),
        (Disablement::MovingTooFastForPolicy, 14),
    ] {
        life.dish.set_entitlement(code);
        life.seconds(3, None, (0, 0));
        let status = life.status();
        assert_eq!((status.disablement_code, status.outage), (number, None));
        let Ok(Some(Told::DishGetDiagnostics(diagnostics))) =
            life.ask(Ask::GetDiagnostics(device::GetDiagnosticsRequest {}))
        else {
            panic!()
        };
        assert_eq!(diagnostics.disablement_code, number);
        assert_eq!(
            diagnostics.alerts.unwrap().moving_too_fast_for_policy,
            number == 14
        );
    }
}

#[test]
fn the_map_fills_cell_by_cell_and_can_be_cleared() {
    let mut life = Life::new(Permissions::default());
    let empty = life.map();
    assert_eq!(
        (empty.num_rows, empty.num_cols, empty.snr.len()),
        (123, 123, 123 * 123)
    );
    assert!(empty.snr.iter().all(|cell| *cell == -1.0));
    assert!(
        (
            empty.max_theta_deg,
            empty.min_elevation_deg,
            empty.map_reference_frame
        ) == (80.0, 10.0, 1)
    );
    let painted = |life: &mut Life| life.map().snr.iter().filter(|cell| **cell == 1.0).count();
    for seconds in 1..=10 {
        life.seconds(1, Some(25), (0, 0));
        assert_eq!(painted(&mut life), seconds, "one cell more each second");
    }
    life.ask(Ask::DishClearObstructionMap(
        device::DishClearObstructionMapRequest {},
    ))
    .unwrap();
    assert_eq!(painted(&mut life), 0);
    assert!(life.status().alerts.unwrap().obstruction_map_reset);
    life.seconds(61, Some(25), (0, 0));
    assert!(!life.status().alerts.unwrap().obstruction_map_reset);
}

#[test]
fn requests_are_refused_with_the_codes_of_real_terminals() {
    let mut life = Life::new(Permissions::default());
    life.seconds(1, Some(25), (0, 0));
    for (ask, name) in [
        (Ask::GetPing(device::GetPingRequest {}), "GetPing"),
        (
            Ask::PingHost(device::PingHostRequest::default()),
            "PingHost",
        ),
        (Ask::GetLog(device::GetLogRequest {}), "GetLog"),
        (
            Ask::GetNetworkInterfaces(device::GetNetworkInterfacesRequest {}),
            "GetNetworkInterfaces",
        ),
        (Ask::GetNextId(device::GetNextIdRequest {}), "GetNextId"),
        (Ask::SpeedTest(device::SpeedTestRequest {}), "SpeedTest"),
        (
            Ask::GetPersistentStats(device::GetPersistentStatsRequest {}),
            "GetPersistentStats",
        ),
        (
            Ask::GetConnections(device::GetConnectionsRequest {}),
            "GetConnections",
        ),
        (
            Ask::WifiGetClients(device::WifiGetClientsRequest {}),
            "WifiGetClients",
        ),
    ] {
        assert_eq!(
            life.refusal(ask),
            (
                Code::Unimplemented,
                format!("Unimplemented: *device.Request_{name}")
            )
        );
    }
    let location = Ask::GetLocation(device::GetLocationRequest::default());
    let text = "GetLocation requests are not enabled on this device".to_owned();
    assert_eq!(life.refusal(location), (Code::PermissionDenied, text));
    for ask in [
        Ask::DishGetContext(device::DishGetContextRequest {}),
        Ask::DishSetConfig(device::DishSetConfigRequest::default()),
        Ask::SetTestMode(device::SetTestModeRequest {}),
    ] {
        assert_eq!(
            life.refusal(ask),
            (Code::PermissionDenied, "Permission denied".to_owned())
        );
    }
    let emc = Ask::DishGetEmc(device::DishGetEmcRequest {});
    assert_eq!(life.refusal(emc), (Code::PermissionDenied, String::new()));
    let authenticate = Ask::Authenticate(device::AuthenticateRequest {});
    assert_eq!(
        life.refusal(authenticate),
        (Code::PermissionDenied, "Invalid challenge".to_owned())
    );
    let update = Ask::SoftwareUpdate(device::SoftwareUpdateRequest {});
    assert_eq!(
        life.refusal(update),
        (
            Code::FailedPrecondition,
            "Software update stream not open".to_owned()
        )
    );
    for (start, duration) in [(1440, 10), (0, 0), (0, 1441)] {
        let window = device::DishPowerSaveRequest {
            power_save_start_minutes: start,
            power_save_duration_minutes: duration,
            enable_power_save: true,
        };
        assert_eq!(
            life.refusal(Ask::DishPowerSave(window)).0,
            Code::InvalidArgument
        );
    }
    let nothing = life
        .dish
        .answer(device::Request::default(), life.now)
        .unwrap_err();
    assert_eq!(nothing.code, Code::Unimplemented);
    let status = Some(Ask::GetStatus(device::GetStatusRequest {}));
    for (target, found) in [("", true), (ID, true), ("ut9", false)] {
        let request = device::Request {
            target_id: target.to_owned(),
            epoch_id: 5,
            request: status.clone(),
            id: 1,
        };
        assert_eq!(
            life.dish.answer(request, life.now).is_ok(),
            found,
            "{target}"
        );
    }
}

#[test]
fn the_owner_may_allow_location_context_and_settings() {
    let mut life = Life::new(ALL);
    life.seconds(2, Some(25), (0, 0));
    let ask = Ask::GetLocation(device::GetLocationRequest::default());
    let Ok(Some(Told::GetLocation(location))) = life.ask(ask.clone()) else {
        panic!()
    };
    let lla = location.lla.unwrap();
    assert!((lla.lat - 50.45).abs() < 1e-9 && (lla.lon - 30.52).abs() < 1e-9);
    let Ok(Some(Told::DishGetContext(context))) =
        life.ask(Ask::DishGetContext(device::DishGetContextRequest {}))
    else {
        panic!()
    };
    assert_eq!(
        (
            context.initial_satellite_id,
            context.initial_gateway_id,
            context.cell_id
        ),
        (1, 3, 99)
    );
    assert_eq!(context.seconds_to_slot_end, 13.0);
    // Only what is marked to be applied is taken.
    let set = device::DishConfig {
        apply_location_request_mode: true,
        snow_melt_mode: 2,
        ..device::DishConfig::default()
    };
    let Ok(Some(Told::DishSetConfig(answer))) =
        life.ask(Ask::DishSetConfig(device::DishSetConfigRequest {
            dish_config: Some(set),
        }))
    else {
        panic!()
    };
    let config = answer.updated_dish_config.unwrap();
    assert_eq!(
        (config.location_request_mode, config.snow_melt_mode),
        (0, 0)
    );
    assert!(config.apply_snow_melt_mode && config.apply_power_save_mode);
    assert_eq!(
        life.refusal(ask).0,
        Code::PermissionDenied,
        "it was just switched off"
    );
    let Ok(Some(Told::DishGetDiagnostics(diagnostics))) =
        life.ask(Ask::GetDiagnostics(device::GetDiagnosticsRequest {}))
    else {
        panic!()
    };
    assert!(
        !diagnostics.location.unwrap().enabled,
        "diagnostics say so instead of refusing"
    );
}

#[test]
fn it_sleeps_in_its_window_and_wakes() {
    let mut life = Life::new(Permissions::default());
    life.seconds(2, Some(25), (0, 0));
    let window = device::DishPowerSaveRequest {
        power_save_start_minutes: 12 * 60,
        power_save_duration_minutes: 1,
        enable_power_save: true,
    };
    assert_eq!(
        life.ask(Ask::DishPowerSave(window)),
        Ok(None),
        "the answer has no member"
    );
    assert_eq!(life.cause(), Some(dish_outage::Cause::Sleeping));
    assert!(life.status().alerts.unwrap().is_power_save_idle && !life.dish.carries_packets());
    life.seconds(5, None, (0, 0));
    let history = life.history();
    assert!(history.power_in[history.current as usize - 1] < 20.0);
    life.seconds(54, None, (0, 0));
    assert!(life.dish.carries_packets(), "12:01");
    life.seconds(1, Some(25), (0, 0));
    assert_eq!(life.cause(), None);
}

#[test]
fn it_is_stowed_and_unstowed() {
    let mut life = Life::new(Permissions::default());
    life.seconds(2, Some(25), (0, 0));
    life.ask(Ask::DishStow(device::DishStowRequest { unstow: false }))
        .unwrap();
    let status = life.status();
    assert!(status.stow_requested && !life.dish.carries_packets());
    assert_eq!(status.outage.unwrap().cause(), dish_outage::Cause::Stowed);
    life.seconds(3, None, (0, 0));
    life.ask(Ask::DishStow(device::DishStowRequest { unstow: true }))
        .unwrap();
    assert!(life.dish.carries_packets());
    assert_eq!(
        life.cause(),
        Some(dish_outage::Cause::Stowed),
        "until the first answer"
    );
    life.seconds(1, Some(25), (0, 0));
    assert_eq!(life.cause(), None);
}

#[test]
fn without_gps_the_position_comes_from_the_network() {
    let mut life = Life::new(ALL);
    life.seconds(1, Some(25), (0, 0));
    let answer = life.ask(Ask::DishInhibitGps(device::DishInhibitGpsRequest {
        inhibit_gps: true,
    }));
    assert_eq!(
        answer,
        Ok(Some(Told::DishInhibitGps(device::DishInhibitGpsResponse {
            inhibit_gps: true
        })))
    );
    let gps = life.status().gps_stats.unwrap();
    assert_eq!(
        (gps.gps_valid, gps.gps_sats, gps.inhibit_gps),
        (false, 0, true)
    );
    let Ok(Some(Told::GetLocation(location))) =
        life.ask(Ask::GetLocation(device::GetLocationRequest::default()))
    else {
        panic!()
    };
    assert_eq!(location.source(), device::PositionSource::Starlink);
}

#[test]
fn a_restart_answers_first_then_is_silent_then_counts_anew() {
    let mut life = Life::new(Permissions::default());
    life.seconds(20, Some(25), (0, 0));
    assert!(matches!(
        life.ask(Ask::Reboot(device::RebootRequest {})),
        Ok(Some(Told::Reboot(_)))
    ));
    assert!(!life.dish.answers() && !life.dish.carries_packets());
    assert_eq!(
        life.refusal(Ask::GetStatus(device::GetStatusRequest {})).0,
        Code::Unavailable
    );
    life.seconds(8, None, (0, 0));
    let status = life.status();
    assert_eq!(status.outage.unwrap().cause(), dish_outage::Cause::Booting);
    let info = status.device_info.unwrap();
    assert_eq!((info.id.as_str(), info.bootcount), (ID, 2));
    assert_eq!(
        info.boot.unwrap().last_reason(),
        device::BootReason::Command
    );
    assert_eq!(status.device_state.unwrap().uptime_s, 0);
    assert_eq!(
        life.history().current,
        1,
        "it goes down: that is how clients see a restart"
    );
    life.seconds(1, Some(25), (0, 0));
    assert_eq!(life.cause(), None);
}

struct Locked(Mutex<Dish>);

impl Device for Locked {
    fn answer(&self, request: device::Request) -> Result<device::Response, Status> {
        self.0
            .lock()
            .unwrap()
            .answer(request, noon() + Span::from_secs(2))
    }
}

#[test]
fn the_stream_answers_in_order_and_goes_on_after_a_refusal() {
    use device::{from_device, to_device};
    let device = Locked(Mutex::new(dish(Permissions::default())));
    let tell = |message| {
        let asked = device::ToDevice {
            message: Some(message),
        }
        .encode_to_vec();
        let answer = answer_bytes(
            &device,
            FileNames::New,
            "/SpaceX.API.Device.Device/Stream",
            &asked,
        )
        .unwrap();
        device::FromDevice::decode(answer).unwrap().message.unwrap()
    };
    let request = |id, ask| {
        to_device::Message::Request(device::Request {
            id,
            request: Some(ask),
            ..Default::default()
        })
    };
    let from_device::Message::Response(refused) =
        tell(request(4, Ask::GetLog(device::GetLogRequest {})))
    else {
        panic!()
    };
    let status = refused.status.unwrap();
    assert_eq!(
        (refused.id, status.code, status.message.as_str()),
        (4, 12, "Unimplemented: *device.Request_GetLog")
    );
    let from_device::Message::Response(answer) =
        tell(request(5, Ask::GetStatus(device::GetStatusRequest {})))
    else {
        panic!()
    };
    assert!(answer.id == 5 && answer.response.is_some());
    let check = tell(to_device::Message::HealthCheck(device::HealthCheck {}));
    assert_eq!(
        check,
        from_device::Message::HealthCheck(device::HealthCheck {})
    );
}

proptest! {
    #[test]
    fn any_bytes_are_answered_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let device = Locked(Mutex::new(dish(ALL)));
        for path in [
            "/SpaceX.API.Device.Device/Handle",
            "/SpaceX.API.Device.Device/Stream",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ] {
            let _ = answer_bytes(&device, FileNames::New, path, &bytes);
        }
    }
}
