//! Answers to requests, member by member.

use crate::dish::{Disablement, Dish};
use crate::outage::gps_nanos;
use crate::rpc::{Code, Status};
use crate::schema::device::{self, request::Request as Ask, response::Response as Told};
use crate::schema::space_x::api::status::Status as EmptyStatus;
use crate::schema::space_x::api::telemetron::public::integrations::RateLimitReason;
use crate::{API_VERSION, sky_map};
use skyweave_base::{Geodetic, Time, Utc};

/// Elevation of the boresight of a fixed terminal: tilted by 25 degrees, toward the pole of its hemisphere, where most
/// satellites of an inclined shell pass.
const BORESIGHT_ELEVATION_DEG: f32 = 65.0;
/// Satellites of GPS in use under an open sky; assumed, none are simulated.
const GPS_SATELLITES: u32 = 14;
/// 1-sigma uncertainty of the position with GPS, and from the network's own signals alone, m; both assumed.
const SIGMA_M: [f64; 2] = [5.0, 120.0];
/// Faster than this a terminal counts as moving, m/s.
const MOVING_M_S: f64 = 1.0;
/// A day's minutes.
const DAY_MINUTES: u32 = 1440;

impl Dish {
    /// Answers a request at `now`.
    pub fn answer(
        &mut self,
        request: device::Request,
        now: Time,
    ) -> Result<device::Response, Status> {
        if !self.answers() {
            return Err(Status::new(Code::Unavailable, "restarting"));
        }
        if !["", &self.identity.id].contains(&request.target_id.as_str()) {
            return Err(Status::new(
                Code::NotFound,
                format!("no device {}", request.target_id),
            ));
        }
        let told = self.tell(request.request, now)?;
        // An answer without a member carries an empty status instead.
        let status = told.is_none().then(EmptyStatus::default);
        Ok(device::Response {
            id: request.id,
            status,
            api_version: API_VERSION,
            response: told,
        })
    }

    fn tell(&mut self, ask: Option<Ask>, now: Time) -> Result<Option<Told>, Status> {
        let denied = || Status::new(Code::PermissionDenied, "Permission denied");
        Ok(Some(match ask {
            Some(Ask::GetStatus(_)) => Told::DishGetStatus(self.status(now)),
            Some(Ask::GetHistory(_)) => Told::DishGetHistory(self.history(now)),
            Some(Ask::GetDeviceInfo(_)) => Told::GetDeviceInfo(device::GetDeviceInfoResponse {
                device_info: Some(self.device_info()),
            }),
            Some(Ask::GetLocation(_)) => Told::GetLocation(self.location(now)?),
            Some(Ask::GetDiagnostics(_)) => Told::DishGetDiagnostics(self.diagnostics(now)),
            Some(Ask::DishGetObstructionMap(_)) => {
                Told::DishGetObstructionMap(self.obstruction_map())
            }
            Some(Ask::DishClearObstructionMap(_)) => {
                self.map.clear(now);
                Told::DishClearObstructionMap(device::DishClearObstructionMapResponse {})
            }
            Some(Ask::DishGetConfig(_)) => Told::DishGetConfig(device::DishGetConfigResponse {
                dish_config: Some(self.told_config()),
            }),
            Some(Ask::DishSetConfig(set)) if self.permissions.config => {
                self.set_config(set.dish_config.unwrap_or_default(), now)?;
                let updated_dish_config = Some(self.told_config());
                Told::DishSetConfig(device::DishSetConfigResponse {
                    updated_dish_config,
                    error: String::new(),
                })
            }
            Some(Ask::DishPowerSave(window)) => {
                self.set_sleep_window(window, now)?;
                return Ok(None);
            }
            Some(Ask::DishInhibitGps(asked)) => {
                self.gps_inhibited = asked.inhibit_gps;
                Told::DishInhibitGps(device::DishInhibitGpsResponse {
                    inhibit_gps: self.gps_inhibited,
                })
            }
            Some(Ask::DishStow(asked)) => {
                self.stow(now, !asked.unstow);
                Told::DishStow(device::DishStowResponse {})
            }
            Some(Ask::Reboot(_)) => {
                self.restart(now);
                Told::Reboot(device::RebootResponse {})
            }
            Some(Ask::DishGetContext(_)) if self.permissions.context => {
                Told::DishGetContext(self.context(now))
            }
            Some(
                Ask::DishGetContext(_)
                | Ask::DishSetConfig(_)
                | Ask::SetTestMode(_)
                | Ask::FactoryReset(_),
            ) => {
                return Err(denied());
            }
            Some(Ask::DishGetEmc(_) | Ask::DishSetEmc(_)) => {
                return Err(Status::new(Code::PermissionDenied, ""));
            }
            Some(Ask::Authenticate(_)) => {
                return Err(Status::new(Code::PermissionDenied, "Invalid challenge"));
            }
            Some(Ask::SoftwareUpdate(_)) => {
                return Err(Status::new(
                    Code::FailedPrecondition,
                    "Software update stream not open",
                ));
            }
            Some(other) => {
                let name = member_name(&other);
                return Err(Status::new(
                    Code::Unimplemented,
                    format!("Unimplemented: *device.Request_{name}"),
                ));
            }
            None => return Err(Status::new(Code::Unimplemented, "Unimplemented")),
        }))
    }

    fn device_info(&self) -> device::DeviceInfo {
        let who = &self.identity;
        device::DeviceInfo {
            id: who.id.clone(),
            hardware_version: who.hardware_version.clone(),
            software_version: who.software_version.clone(),
            build_id: who.software_version.clone(),
            manufactured_version: who.software_version.clone(),
            country_code: who.country_code.clone(),
            utc_offset_s: who.utc_offset_s,
            software_partitions_equal: true,
            bootcount: self.boots.count(),
            generation_number: 4,
            boot: Some(device::BootInfo {
                count_by_reason: self.boots.by_reason.iter().map(|(k, v)| (*k, *v)).collect(),
                last_reason: self.boots.last as i32,
                last_count: self
                    .boots
                    .by_reason
                    .get(&(self.boots.last as i32))
                    .copied()
                    .unwrap_or(0),
                ..device::BootInfo::default()
            }),
            ..device::DeviceInfo::default()
        }
    }

    fn device_state(&self, now: Time) -> device::DeviceState {
        let uptime = (now - self.booted).nanos().max(0) / 1_000_000_000;
        device::DeviceState {
            uptime_s: uptime.unsigned_abs(),
        }
    }

    fn position(&self, now: Time) -> Option<Geodetic> {
        self.planned(now).map(|s| s.position)
    }

    fn boresight_azimuth_deg(&self, now: Time) -> f32 {
        match self.position(now) {
            Some(position) if position.lat_rad < 0.0 => 180.0,
            _ => 0.0,
        }
    }

    fn status(&self, now: Time) -> device::DishGetStatusResponse {
        let newest = self.history.newest();
        let outage = self.outage(now);
        let carries = self.carries_packets();
        let restricted = match self.entitlement {
            Disablement::DataOverageSandboxPolicy => RateLimitReason::OverageLimit,
            _ => RateLimitReason::NoLimit,
        };
        let alignment = self.alignment(now);
        device::DishGetStatusResponse {
            device_info: Some(self.device_info()),
            device_state: Some(self.device_state(now)),
            seconds_to_first_nonempty_slot: self.seconds_to_service(now),
            pop_ping_drop_rate: newest.drop_rate,
            obstruction_stats: Some(self.obstruction_stats(now)),
            alerts: Some(self.alerts(now)),
            downlink_throughput_bps: newest.down_bps,
            uplink_throughput_bps: newest.up_bps,
            pop_ping_latency_ms: newest.latency_ms,
            stow_requested: self.stow_requested,
            boresight_azimuth_deg: alignment.boresight_azimuth_deg,
            boresight_elevation_deg: alignment.boresight_elevation_deg,
            outage: outage.map(|o| o.wire()),
            gps_stats: Some(self.gps_stats()),
            eth_speed_mbps: 1000,
            mobility_class: self.mobility(now) as i32,
            is_snr_above_noise_floor: carries && self.serving(now).is_some(),
            ready_states: Some(device::DishReadyStates {
                cady: true,
                scp: true,
                l1l2: carries,
                xphy: carries,
                aap: carries,
                rf: carries,
            }),
            class_of_service: device::UserClassOfService::Consumer as i32,
            software_update_state: device::SoftwareUpdateState::Idle as i32,
            has_actuators: device::HasActuators::No as i32,
            disablement_code: self.entitlement as i32,
            has_signed_cals: true,
            software_update_stats: Some(device::SoftwareUpdateStats {
                software_update_state: device::SoftwareUpdateState::Idle as i32,
                ..device::SoftwareUpdateStats::default()
            }),
            ned2dish_quaternion: Some(attitude(&alignment)),
            alignment_stats: Some(alignment),
            initialization_duration_seconds: Some(self.init),
            is_cell_disabled: self.entitlement == Disablement::CellIsDisabled,
            reboot_reason: self.boots.reboot as i32,
            is_moving_fast_persisted: self.entitlement == Disablement::MovingTooFastForPolicy,
            dl_bandwidth_restricted_reason: restricted as i32,
            ul_bandwidth_restricted_reason: restricted as i32,
            account_shard: device::AccountShard::Default as i32,
            nat_flag: device::NatFlag::NatEnabled as i32,
            config: Some(self.told_config()),
            ..device::DishGetStatusResponse::default()
        }
    }

    /// 0 while a satellite is scheduled, the time to the next planned service otherwise; -1 when none is known.
    fn seconds_to_service(&self, now: Time) -> f32 {
        if self.serving(now).is_some() {
            return 0.0;
        }
        self.next_service(now)
            .map_or(-1.0, |start| (start - now).as_secs_f64() as f32)
    }

    fn mobility(&self, now: Time) -> device::UserMobilityClass {
        match self.planned(now) {
            Some(schedule) if schedule.horizontal_speed_m_s > MOVING_M_S => {
                device::UserMobilityClass::Mobile
            }
            _ => device::UserMobilityClass::Stationary,
        }
    }

    fn alerts(&self, now: Time) -> device::DishAlerts {
        device::DishAlerts {
            is_power_save_idle: self.asleep(),
            obstruction_map_reset: self.map.reset_alert(now),
            unexpected_location: self.entitlement == Disablement::TooFarFromServiceAddress,
            ..device::DishAlerts::default()
        }
    }

    fn obstruction_stats(&self, now: Time) -> device::DishObstructionStats {
        let (patches_valid, fraction_obstructed) = self.map.seen();
        let prolonged = self.outages.prolonged_obstructions();
        let (painted, obstructed) = (self.map.painted_s as f32, self.map.obstructed_s as f32);
        device::DishObstructionStats {
            fraction_obstructed,
            valid_s: painted,
            currently_obstructed: self.obstructed(now),
            avg_prolonged_obstruction_duration_s: prolonged.map_or(0.0, |p| p.mean_duration_s),
            avg_prolonged_obstruction_interval_s: prolonged.map_or(f32::NAN, |p| p.mean_interval_s),
            avg_prolonged_obstruction_valid: prolonged.is_some_and(|p| !p.mean_interval_s.is_nan()),
            time_obstructed: if painted == 0.0 {
                0.0
            } else {
                obstructed / painted
            },
            patches_valid,
        }
    }

    fn gps_stats(&self) -> device::DishGpsStats {
        device::DishGpsStats {
            gps_valid: !self.gps_inhibited,
            gps_sats: if self.gps_inhibited {
                0
            } else {
                GPS_SATELLITES
            },
            inhibit_gps: self.gps_inhibited,
            pnt_filter_convergence_state: device::AttitudeEstimationState::FilterConverged as i32,
            ..device::DishGpsStats::default()
        }
    }

    fn alignment(&self, now: Time) -> device::AlignmentStats {
        let azimuth = self.boresight_azimuth_deg(now);
        device::AlignmentStats {
            has_actuators: device::HasActuators::No as i32,
            actuator_state: device::ActuatorState::Idle as i32,
            tilt_angle_deg: 90.0 - BORESIGHT_ELEVATION_DEG,
            boresight_azimuth_deg: azimuth,
            boresight_elevation_deg: BORESIGHT_ELEVATION_DEG,
            attitude_estimation_state: device::AttitudeEstimationState::FilterConverged as i32,
            attitude_uncertainty_deg: 0.5,
            desired_boresight_azimuth_deg: azimuth,
            desired_boresight_elevation_deg: BORESIGHT_ELEVATION_DEG,
        }
    }

    fn history(&self, now: Time) -> device::DishGetHistoryResponse {
        let rings = &self.history;
        let outages = self.outages.past();
        let events = self.outages.past().copied().chain(self.outage(now));
        device::DishGetHistoryResponse {
            current: rings.current,
            pop_ping_drop_rate: rings.ring(|s| s.drop_rate),
            pop_ping_latency_ms: rings.ring(|s| s.latency_ms),
            downlink_throughput_bps: rings.ring(|s| s.down_bps),
            uplink_throughput_bps: rings.ring(|s| s.up_bps),
            power_in: rings.ring(|s| s.power_w),
            outages: outages.map(|o| o.wire()).collect(),
            event_log: Some(device::EventLog {
                events: events.map(|o| o.event(&self.identity.id)).collect(),
                start_timestamp_ns: Utc::from(self.booted).unix_nanos(),
                current_timestamp_ns: Utc::from(now).unix_nanos(),
            }),
        }
    }

    fn obstruction_map(&self) -> device::DishGetObstructionMapResponse {
        device::DishGetObstructionMapResponse {
            num_rows: sky_map::SIZE as u32,
            num_cols: sky_map::SIZE as u32,
            snr: self.map.cells().to_vec(),
            min_elevation_deg: (90.0 - sky_map::MAX_THETA_DEG) as f32,
            max_theta_deg: sky_map::MAX_THETA_DEG as f32,
            map_reference_frame: device::ObstructionMapReferenceFrame::FrameEarth as i32,
        }
    }

    /// By GPS, or without it from the network's signals.
    fn location_source(&self) -> (device::PositionSource, f64) {
        match self.gps_inhibited {
            false => (device::PositionSource::Gps, SIGMA_M[0]),
            true => (device::PositionSource::Starlink, SIGMA_M[1]),
        }
    }

    fn location_allowed(&self) -> bool {
        self.config.location_request_mode == device::dish_config::LocationRequestMode::Local as i32
    }

    fn location(&self, now: Time) -> Result<device::GetLocationResponse, Status> {
        if !self.location_allowed() {
            let why = "GetLocation requests are not enabled on this device";
            return Err(Status::new(Code::PermissionDenied, why));
        }
        let schedule = self
            .planned(now)
            .ok_or_else(|| Status::new(Code::Unavailable, "no position yet"))?;
        let (source, sigma_m) = self.location_source();
        Ok(device::GetLocationResponse {
            lla: Some(device::LlaPosition {
                lat: schedule.position.lat_deg(),
                lon: schedule.position.lon_deg(),
                alt: schedule.position.height_m,
            }),
            source: source as i32,
            sigma_m,
            horizontal_speed_mps: schedule.horizontal_speed_m_s,
            vertical_speed_mps: 0.0,
        })
    }

    fn diagnostics(&self, now: Time) -> device::DishGetDiagnosticsResponse {
        use device::dish_get_diagnostics_response as parts;
        let alignment = self.alignment(now);
        let position = self.position(now).filter(|_| self.location_allowed());
        device::DishGetDiagnosticsResponse {
            id: self.identity.id.clone(),
            hardware_version: self.identity.hardware_version.clone(),
            software_version: self.identity.software_version.clone(),
            utc_offset_s: self.identity.utc_offset_s,
            alerts: Some(parts::Alerts {
                moving_too_fast_for_policy: self.entitlement == Disablement::MovingTooFastForPolicy,
                obstructed: self.obstructed(now),
                ..parts::Alerts::default()
            }),
            // The two enums have the same numbers.
            disablement_code: self.entitlement as i32,
            hardware_self_test: parts::TestResult::Passed as i32,
            location: Some(position.map_or_else(parts::Location::default, |position| {
                parts::Location {
                    enabled: true,
                    latitude: position.lat_deg(),
                    longitude: position.lon_deg(),
                    altitude_meters: position.height_m,
                    uncertainty_meters_valid: true,
                    uncertainty_meters: self.location_source().1,
                    gps_time_s: gps_nanos(now) as f64 / 1e9,
                }
            })),
            alignment_stats: Some(parts::AlignmentStats {
                boresight_azimuth_deg: alignment.boresight_azimuth_deg,
                boresight_elevation_deg: alignment.boresight_elevation_deg,
                desired_boresight_azimuth_deg: alignment.desired_boresight_azimuth_deg,
                desired_boresight_elevation_deg: alignment.desired_boresight_elevation_deg,
            }),
            stowed: self.stow_requested,
            hardware_self_test_codes: Vec::new(),
            overage_rate_limited: self.entitlement == Disablement::DataOverageSandboxPolicy,
        }
    }

    fn context(&self, now: Time) -> device::DishGetContextResponse {
        let serving = self.serving(now);
        let (seen, fraction) = self.map.seen();
        let recent: Vec<_> = self.history.last(15).collect();
        let mean = |of: fn(&crate::history::Sample) -> f32| {
            recent.iter().map(of).sum::<f32>() / recent.len().max(1) as f32
        };
        let since = |at_least_s: i64| self.seconds_since_outage(now, at_least_s);
        device::DishGetContextResponse {
            device_info: Some(self.device_info()),
            obstruction_fraction: if seen == 0 { 0.0 } else { fraction },
            obstruction_valid_s: self.map.painted_s as f32,
            cell_id: serving.map_or(0, |(_, s)| s.cell),
            pop_rack_id: serving.map_or(0, |(_, s)| s.pop),
            seconds_to_slot_end: serving
                .map_or(0.0, |(end, _)| (end - now).as_secs_f64().max(0.0) as f32),
            device_state: Some(self.device_state(now)),
            initial_satellite_id: serving.map_or(0, |(_, s)| s.satellite),
            initial_gateway_id: serving.map_or(0, |(_, s)| s.gateway),
            obstruction_current: self.obstructed(now),
            pop_ping_drop_rate_15s_mean: mean(|s| s.drop_rate),
            pop_ping_latency_ms_15s_mean: mean(|s| s.latency_ms),
            seconds_since_last_1s_outage: since(1),
            seconds_since_last_2s_outage: since(2),
            seconds_since_last_5s_outage: since(5),
            seconds_since_last_15s_outage: since(15),
            seconds_since_last_60s_outage: since(60),
            obstruction_time: self.map.obstructed_s as f32,
            disablement_code: self.entitlement as i32,
            ..device::DishGetContextResponse::default()
        }
    }

    /// Since the end of the last outage of such a length; 0 while one lasts, since boot if there was none.
    fn seconds_since_outage(&self, now: Time, at_least_s: i64) -> f32 {
        let long = |o: &crate::outage::Outage| o.lasted.nanos() >= at_least_s * 1_000_000_000;
        if self.outage(now).as_ref().is_some_and(long) {
            return 0.0;
        }
        let end = self
            .outages
            .past()
            .rev()
            .find(|o| long(o))
            .map_or(self.booted, |o| o.start + o.lasted);
        (now - end).as_secs_f64().max(0.0) as f32
    }

    /// The settings, with all `apply` flags set as real terminals have them in answers.
    fn told_config(&self) -> device::DishConfig {
        device::DishConfig {
            apply_snow_melt_mode: true,
            apply_location_request_mode: true,
            apply_level_dish_mode: true,
            apply_power_save_start_minutes: true,
            apply_power_save_duration_minutes: true,
            apply_power_save_mode: true,
            apply_swupdate_three_day_deferral_enabled: true,
            apply_asset_class: true,
            apply_swupdate_reboot_hour: true,
            ..self.config
        }
    }

    fn set_config(&mut self, set: device::DishConfig, now: Time) -> Result<(), Status> {
        let mut new = self.config;
        macro_rules! take {
            ($($flag:ident => $field:ident),*) => { $(if set.$flag { new.$field = set.$field; })* };
        }
        take!(
            apply_snow_melt_mode => snow_melt_mode,
            apply_location_request_mode => location_request_mode,
            apply_level_dish_mode => level_dish_mode,
            apply_power_save_start_minutes => power_save_start_minutes,
            apply_power_save_duration_minutes => power_save_duration_minutes,
            apply_power_save_mode => power_save_mode,
            apply_swupdate_three_day_deferral_enabled => swupdate_three_day_deferral_enabled,
            apply_asset_class => asset_class,
            apply_swupdate_reboot_hour => swupdate_reboot_hour
        );
        check_window(
            new.power_save_start_minutes,
            new.power_save_duration_minutes,
        )?;
        self.config = new;
        self.follow_sleep_window(now);
        Ok(())
    }

    fn set_sleep_window(
        &mut self,
        window: device::DishPowerSaveRequest,
        now: Time,
    ) -> Result<(), Status> {
        check_window(
            window.power_save_start_minutes,
            window.power_save_duration_minutes,
        )?;
        self.config.power_save_start_minutes = window.power_save_start_minutes;
        self.config.power_save_duration_minutes = window.power_save_duration_minutes;
        self.config.power_save_mode = window.enable_power_save;
        self.follow_sleep_window(now);
        Ok(())
    }
}

fn check_window(start_minutes: u32, duration_minutes: u32) -> Result<(), Status> {
    if start_minutes < DAY_MINUTES && (1..=DAY_MINUTES).contains(&duration_minutes) {
        return Ok(());
    }
    let text = format!(
        "start is 0 to 1439 and duration 1 to 1440 minutes, not {start_minutes} and {duration_minutes}"
    );
    Err(Status::new(Code::InvalidArgument, text))
}

/// The rotation from north-east-down to the dish: about the vertical to its azimuth, then back by its tilt, so that the
/// dish's third axis, its back, points away from the boresight.
fn attitude(alignment: &device::AlignmentStats) -> device::Quaternion {
    let half = |deg: f32| (f64::from(deg).to_radians() / 2.0).sin_cos();
    let (sin_yaw, cos_yaw) = half(alignment.boresight_azimuth_deg);
    // The boresight is -z at no tilt; a negative turn about the dish's right-hand axis leans it forward, to the azimuth.
    let (sin_pitch, cos_pitch) = half(-alignment.tilt_angle_deg);
    device::Quaternion {
        q_scalar: (cos_yaw * cos_pitch) as f32,
        q_x: (-sin_yaw * sin_pitch) as f32,
        q_y: (cos_yaw * sin_pitch) as f32,
        q_z: (sin_yaw * cos_pitch) as f32,
    }
}

/// The name of a request's member as the terminals' own software spells it.
fn member_name(ask: &Ask) -> String {
    let debug = format!("{ask:?}");
    debug
        .split(['(', ' '])
        .next()
        .unwrap_or_default()
        .to_owned()
}
