//! A terminal that moves: positions at times since the scenario's start, joined along great circles.

use crate::problem::{Location, Problems};
use crate::table::{optional, read_csv, required};
use skyweave_base::{Geodetic, Vec3};

/// Positions in time, at least one, with times that ascend.
#[derive(Clone, Debug, PartialEq)]
pub struct Track(Vec<(f64, Geodetic)>);

impl Track {
    /// Reads a CSV with `t_s`, `lat_deg`, `lon_deg` and optionally `height_m`.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Problems> {
        let columns = [
            required(&["t_s"]),
            required(&["lat_deg", "latitude_deg"]),
            required(&["lon_deg", "longitude_deg"]),
            optional(&["height_m"]),
        ];
        let mut points: Vec<(f64, Geodetic)> = Vec::new();
        let mut problems = Problems::default();
        read_csv(file, bytes, &columns, &mut problems, |row| {
            let t_s = row.required_number(0, -1e9..=1e9);
            let place = row.place(1, 2);
            let height_m = row.number(3, -1_000.0..=50_000.0).unwrap_or(0.0);
            let (Some(t_s), Some(place)) = (t_s, place) else {
                return;
            };
            match points.last() {
                Some(&(before, _)) if t_s <= before => {
                    row.error(
                        0,
                        &format!("{t_s} does not come after {before}: times must ascend"),
                    );
                }
                _ => points.push((t_s, Geodetic { height_m, ..place })),
            }
        });
        if points.is_empty() && problems.0.is_empty() {
            problems.push(Location::file(file).error("a track needs at least one position"));
        }
        if problems.0.is_empty() {
            Ok(Self(points))
        } else {
            Err(problems)
        }
    }

    /// Where the terminal stands `t_s` after the scenario's start. Before the first position and after the last it stands still.
    pub fn at(&self, t_s: f64) -> Geodetic {
        let after = self.0.partition_point(|(t, _)| *t <= t_s);
        let (Some(&(t0, from)), Some(&(t1, to))) =
            (self.0.get(after.wrapping_sub(1)), self.0.get(after))
        else {
            return if after == 0 {
                self.0[0].1
            } else {
                self.0[after - 1].1
            };
        };
        between(from, to, (t_s - t0) / (t1 - t0))
    }

    /// The positions themselves.
    pub(crate) fn positions(&self) -> impl Iterator<Item = Geodetic> {
        self.0.iter().map(|(_, place)| *place)
    }
}

/// The point at `part` of the great circle from one place to another (spherical linear interpolation; Shoemake, SIGGRAPH
/// 1985). Between opposite points, where every great circle is as good, it goes over the pole.
fn between(from: Geodetic, to: Geodetic, part: f64) -> Geodetic {
    let (a, b) = (from.up(), to.up());
    let angle = a.cross(b).norm().atan2(a.dot(b));
    let direction = if angle < 1e-12 {
        a
    } else if core::f64::consts::PI - angle < 1e-9 {
        let over = if a.z.abs() < 0.9 {
            Vec3::new(0.0, 0.0, 1.0)
        } else {
            Vec3::new(1.0, 0.0, 0.0)
        };
        let side = (over - a * a.dot(over)).unit();
        a * (angle * part).cos() + side * (angle * part).sin()
    } else {
        a * (((1.0 - part) * angle).sin() / angle.sin()) + b * ((part * angle).sin() / angle.sin())
    };
    Geodetic {
        lat_rad: direction.z.atan2(direction.x.hypot(direction.y)),
        lon_rad: direction.y.atan2(direction.x),
        height_m: from.height_m + part * (to.height_m - from.height_m),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(text: &str) -> Track {
        Track::parse("t.csv", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_track_runs_along_the_great_circle_and_rests_at_its_ends() {
        let track = track("t_s,lat_deg,lon_deg,height_m\n0,0,0,0\n100,0,90,10000\n");
        let half = track.at(50.0);
        // 1e-12 rad is 6 µm on the ground.
        assert!((half.lon_deg() - 45.0).abs() < 1e-10 && half.lat_rad.abs() < 1e-12);
        assert!((half.height_m - 5_000.0).abs() < 1e-9);
        assert_eq!(track.at(-5.0).lon_rad, 0.0);
        assert!((track.at(1e6).lon_deg() - 90.0).abs() < 1e-12);
    }

    #[test]
    fn across_the_antimeridian_and_over_the_pole() {
        let track = track("t_s,lat_deg,lon_deg\n0,80,0\n10,80,180\n20,0,179\n30,0,-179\n");
        assert!((track.at(5.0).lat_deg() - 90.0).abs() < 1e-9);
        assert!((track.at(25.0).lon_deg().abs() - 180.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let problems = Track::parse(
            "t.csv",
            b"t_s,lat_deg,lon_deg\n0,95,0\n1,50,x\n0.5,1,1\n0.5,1,1\n",
        )
        .unwrap_err();
        let text = problems.to_string();
        assert!(
            text.contains("t.csv:2: lat_deg: 95 is out of range: expected -90 to 90"),
            "{text}"
        );
        assert!(
            text.contains("t.csv:3: lon_deg: `x` is not a number"),
            "{text}"
        );
        assert!(
            text.contains("t.csv:5: t_s: 0.5 does not come after 0.5"),
            "{text}"
        );
        assert!(
            Track::parse("t.csv", b"t_s,lat_deg,lon_deg\n")
                .unwrap_err()
                .to_string()
                .contains("at least one")
        );
    }
}
