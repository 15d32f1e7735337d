//! Frames, sub-points and look angles against astropy and ERFA.

mod common;

use common::{columns, earth_orientation, shared};
use skyweave_base::{Ecef, Enu, Geodetic, SatId, Time, Utc, Vec3};
use skyweave_orbit::{
    EarthFixed, EarthOrientation, EarthOrientationTable, Propagator, Rotation, Sky, Teme,
    gmst82_rad, parse_tle_unchecked, range_rate_m_s,
};

/// What two independent codes agree to is 0.4 mm and 4e-8 degrees; the files round to 1e-6 m and 1e-9 degrees.
const POSITION_M: f64 = 0.01;
const ANGLE_DEG: f64 = 1e-6;
const GEODETIC_DEG: f64 = 1e-8;
const VELOCITY_M_S: f64 = 1e-3;
/// The file's sidereal time has 15 digits.
const GMST_RAD: f64 = 1e-11;

struct Row {
    satellite: f64,
    time_index: f64,
    time: Time,
    orientation: EarthOrientation,
}

fn rows(csv: &str) -> Vec<Row> {
    let utc = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(3).unwrap().parse::<Utc>().unwrap());
    columns(
        csv,
        [
            "sat",
            "time_index",
            "ut1_minus_utc_s",
            "polar_x_arcsec",
            "polar_y_arcsec",
        ],
    )
    .into_iter()
    .zip(utc)
    .map(|([satellite, time_index, ut1, x, y], utc)| Row {
        satellite,
        time_index,
        time: utc.into(),
        orientation: EarthOrientation {
            ut1_minus_utc_s: ut1,
            polar_x_rad: (x / 3600.0).to_radians(),
            polar_y_rad: (y / 3600.0).to_radians(),
        },
    })
    .collect()
}

fn states(tle: &str, rows: &[Row]) -> Vec<(Teme, EarthFixed)> {
    let elements = parse_tle_unchecked(tle).unwrap();
    rows.iter()
        .map(|row| {
            let teme = Propagator::new(&elements[row.satellite as usize])
                .unwrap()
                .teme(row.time)
                .unwrap();
            (
                teme,
                Rotation::at(row.time, row.orientation).earth_fixed(&teme),
            )
        })
        .collect()
}

#[test]
fn positions_in_every_frame() {
    let (Some(tle), Some(csv)) = (
        shared("reference/frames/satellites.tle"),
        shared("reference/frames/positions.csv"),
    ) else {
        return;
    };
    let rows = rows(&csv);
    assert_eq!(rows.len(), 25);
    let gmst = columns(&csv, ["gmst82_ut1_rad"]);
    let teme_km = columns(&csv, ["teme_x_km", "teme_y_km", "teme_z_km"]);
    let itrf_km = columns(&csv, ["itrf_x_km", "itrf_y_km", "itrf_z_km"]);
    let velocity_km_s = columns(&csv, ["itrf_vx_km_s", "itrf_vy_km_s", "itrf_vz_km_s"]);
    let geodetic = columns(&csv, ["geodetic_lat_deg", "lon_deg", "height_km"]);
    let metres = |[x, y, z]: [f64; 3]| Vec3::new(x, y, z) * 1e3;
    let mut worst = [0.0_f64; 6];
    for (i, (teme, earth_fixed)) in states(&tle, &rows).into_iter().enumerate() {
        let place = earth_fixed.position.to_geodetic();
        let [lat_deg, lon_deg, height_km] = geodetic[i];
        let found = [
            (gmst82_rad(rows[i].time, rows[i].orientation.ut1_minus_utc_s) - gmst[i][0]).abs(),
            (teme.position_m - metres(teme_km[i])).norm(),
            (earth_fixed.position.0 - metres(itrf_km[i])).norm(),
            (earth_fixed.velocity_m_s - metres(velocity_km_s[i])).norm(),
            (place.lat_deg() - lat_deg)
                .abs()
                .max((place.lon_deg() - lon_deg).abs()),
            (place.height_m - height_km * 1e3).abs(),
        ];
        for (worst, found) in worst.iter_mut().zip(found) {
            *worst = worst.max(found);
        }
    }
    println!(
        "largest differences: gmst rad, TEME m, ITRF m, ITRF m/s, geodetic degrees, height m: {worst:?}"
    );
    let tolerance = [
        GMST_RAD,
        POSITION_M,
        POSITION_M,
        VELOCITY_M_S,
        GEODETIC_DEG,
        POSITION_M,
    ];
    assert!(
        worst
            .iter()
            .zip(tolerance)
            .all(|(worst, tolerance)| *worst < tolerance)
    );
}

#[test]
fn look_angles_and_range_rates() {
    let (Some(tle), Some(csv), Some(looks), Some(sites)) = (
        shared("reference/frames/satellites.tle"),
        shared("reference/frames/positions.csv"),
        shared("reference/frames/look_angles.csv"),
        shared("reference/frames/sites.csv"),
    ) else {
        return;
    };
    let rows = rows(&csv);
    let states = states(&tle, &rows);
    let sites: Vec<Enu> = columns(&sites, ["geodetic_lat_deg", "lon_deg", "height_m"])
        .into_iter()
        .map(|[lat, lon, height_m]| {
            Enu::at(Geodetic {
                height_m,
                ..Geodetic::from_degrees(lat, lon).unwrap()
            })
        })
        .collect();
    let looks = columns(
        &looks,
        [
            "sat",
            "time_index",
            "site",
            "azimuth_deg",
            "elevation_deg",
            "range_km",
            "range_rate_km_s",
        ],
    );
    assert_eq!(looks.len(), 125);
    let mut worst = [0.0_f64; 4];
    for [
        satellite,
        time_index,
        site,
        azimuth_deg,
        elevation_deg,
        range_km,
        rate_km_s,
    ] in looks
    {
        let row = rows
            .iter()
            .position(|r| r.satellite == satellite && r.time_index == time_index)
            .unwrap();
        let (site, (_, state)) = (&sites[site as usize], &states[row]);
        let look = site.look(state.position);
        let azimuth =
            (look.azimuth_rad.to_degrees() - azimuth_deg + 180.0).rem_euclid(360.0) - 180.0;
        let found = [
            azimuth.abs() * look.elevation_rad.cos(),
            (look.elevation_rad.to_degrees() - elevation_deg).abs(),
            (look.range_m - range_km * 1e3).abs(),
            (range_rate_m_s(site.origin, state) - rate_km_s * 1e3).abs(),
        ];
        for (worst, found) in worst.iter_mut().zip(found) {
            *worst = worst.max(found);
        }
    }
    println!(
        "largest differences: azimuth cos(elevation), elevation degrees, range m, range rate m/s: {worst:?}"
    );
    let tolerance = [ANGLE_DEG, ANGLE_DEG, POSITION_M, VELOCITY_M_S];
    assert!(
        worst
            .iter()
            .zip(tolerance)
            .all(|(worst, tolerance)| *worst < tolerance)
    );
}

/// The table of the repository, at the times of the reference that it covers (20 of 25; five are of 2006): the same values as the
/// reference's own, which are the IERS' Bulletin B as well, and so the same positions.
#[test]
fn the_built_in_table_gives_the_positions_of_the_reference() {
    /// What Bulletin A and B differ by, and what the reference's interpolation could: well below the position's tolerance.
    const UT1_S: f64 = 1e-5;
    const POLE_RAD: f64 = 5e-10;
    let (Some(tle), Some(csv)) = (
        shared("reference/frames/satellites.tle"),
        shared("reference/frames/positions.csv"),
    ) else {
        return;
    };
    let table = EarthOrientationTable::parse(&earth_orientation()).unwrap();
    let elements = parse_tle_unchecked(&tle).unwrap();
    let sky = Sky::new(&elements).unwrap().with_orientation(table.clone());
    let itrf_km = columns(&csv, ["itrf_x_km", "itrf_y_km", "itrf_z_km"]);
    let (mut covered, mut worst) = (0, [0.0_f64; 3]);
    for (row, [x, y, z]) in rows(&csv).iter().zip(itrf_km) {
        let Some(found) = table.at(row.time) else {
            assert!(row.time < table.covers().unwrap().0);
            continue;
        };
        covered += 1;
        let position = sky.ecef(SatId(row.satellite as u32), row.time).unwrap();
        let wanted = row.orientation;
        let found = [
            (found.ut1_minus_utc_s - wanted.ut1_minus_utc_s).abs(),
            (found.polar_x_rad - wanted.polar_x_rad)
                .abs()
                .max((found.polar_y_rad - wanted.polar_y_rad).abs()),
            position.distance_m(Ecef(Vec3::new(x, y, z) * 1e3)),
        ];
        for (worst, found) in worst.iter_mut().zip(found) {
            *worst = worst.max(found);
        }
    }
    println!("{covered} rows; largest differences: UT1 s, pole rad, ITRF m: {worst:?}");
    assert_eq!(covered, 20);
    assert!(worst[0] < UT1_S && worst[1] < POLE_RAD && worst[2] < POSITION_M);
}

proptest::proptest! {
    /// Whatever is done to a table, it is read or refused; what is read has values at its ends.
    #[test]
    fn damaged_tables_are_read_or_refused(
        at in 0_usize..1600, cut in 0_usize..40, put in "[ -~\n\u{e9}]{0,12}", from_line in 0_usize..2840
    ) {
        let whole = earth_orientation();
        let mut text: String = whole.lines().skip(from_line).take(10).map(|l| format!("{l}\n")).collect();
        let at = at.min(text.len());
        text.replace_range(at..(at + cut).min(text.len()), &put);
        match EarthOrientationTable::parse(&text) {
            Ok(table) => {
                let (first, last) = table.covers().unwrap();
                proptest::prop_assert!(table.at(first).is_some() && table.at(last).is_some());
            }
            Err(error) => proptest::prop_assert!(!error.to_string().is_empty()),
        }
    }
}

/// The documented cost of the default, so that the documentation stays true.
#[test]
fn without_earth_orientation_positions_are_within_a_hundred_metres() {
    let (Some(tle), Some(csv)) = (
        shared("reference/frames/satellites.tle"),
        shared("reference/frames/positions.csv"),
    ) else {
        return;
    };
    let rows = rows(&csv);
    let worst_m =
        states(&tle, &rows)
            .iter()
            .zip(&rows)
            .fold(0.0_f64, |worst, ((teme, exact), row)| {
                let plain = Rotation::at(row.time, EarthOrientation::default()).ecef(teme);
                worst.max(plain.distance_m(Ecef(exact.position.0)))
            });
    println!("{worst_m:.1} m");
    assert!((10.0..110.0).contains(&worst_m));
}
