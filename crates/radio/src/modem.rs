//! From signal over noise to bits: a table of modulations and codes.

/// Modulation and code by the signal over noise that they need.
///
/// The operator's own are not published beyond "BPSK to 64QAM" (filings, after S. Pekhterev, SatMagazine Nov 2021). The table is
/// that of DVB-S2 and DVB-S2X, a published set of modern codes a decibel or two from the Shannon bound: E_s/N_0 for a
/// quasi-error-free AWGN channel and information bits per symbol, from ETSI EN 302 307-1 V1.4.1, table 13, and EN 302 307-2 V1.2.1,
/// table 20a; a selection about half a decibel to a decibel apart. A modem's distance from it is the profile's `gap_db`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modem {
    /// How much more than the table it needs, dB.
    pub gap_db: f64,
    /// No more than this many bits per symbol.
    pub most_bit_per_symbol: f64,
}

/// (E_s/N_0 in dB, bits per symbol, name).
const MODCODS: [(f64, f64, &str); 31] = [
    (-2.85, 0.434_841, "QPSK 2/9"),
    (-2.03, 0.567_805, "QPSK 13/45"),
    (-1.24, 0.656_448, "QPSK 1/3"),
    (-0.30, 0.789_412, "QPSK 2/5"),
    (0.22, 0.889_135, "QPSK 9/20"),
    (1.00, 0.988_858, "QPSK 1/2"),
    (1.45, 1.088_581, "QPSK 11/20"),
    (2.23, 1.188_304, "QPSK 3/5"),
    (3.10, 1.322_253, "QPSK 2/3"),
    (4.03, 1.487_473, "QPSK 3/4"),
    (4.68, 1.587_196, "QPSK 4/5"),
    (5.50, 1.779_991, "8PSK 3/5"),
    (6.62, 1.980_636, "8PSK 2/3"),
    (7.91, 2.228_124, "8PSK 3/4"),
    (8.97, 2.637_201, "16APSK 2/3"),
    (10.21, 2.966_728, "16APSK 3/4"),
    (11.03, 3.165_623, "16APSK 4/5"),
    (11.61, 3.300_184, "16APSK 5/6"),
    (11.75, 3.510_192, "32APSK 32/45"),
    (12.73, 3.703_295, "32APSK 3/4"),
    (13.64, 3.951_571, "32APSK 4/5"),
    (13.98, 4.206_428, "64APSK 32/45"),
    (14.81, 4.338_659, "64APSK 11/15"),
    (15.47, 4.603_122, "64APSK 7/9"),
    (15.87, 4.735_354, "64APSK 4/5"),
    (16.55, 4.933_701, "64APSK 5/6"),
    (16.98, 5.065_690, "256APSK 29/45"),
    (17.24, 5.241_514, "256APSK 2/3"),
    (18.10, 5.417_338, "256APSK 31/45"),
    (18.84, 5.768_987, "256APSK 11/15"),
    (19.57, 5.900_855, "256APSK 3/4"),
];

impl Modem {
    /// Bits per symbol at so much signal over noise and interference, and their modulation and code; `None` below the last.
    pub fn bit_per_symbol(&self, sinr_db: f64) -> Option<(f64, &'static str)> {
        let usable = MODCODS.partition_point(|&(needs, bits, _)| {
            needs + self.gap_db <= sinr_db && bits <= self.most_bit_per_symbol
        });
        let (_, bits, name) = MODCODS[usable.checked_sub(1)?];
        Some((bits, name))
    }

    /// What each modulation and code in use needs of signal over noise and interference, dB, and its bits per symbol: both
    /// ascending.
    pub(crate) fn modcods(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        MODCODS
            .iter()
            .map(|&(needs, bits, _)| (needs + self.gap_db, bits))
            .take_while(|&(_, bits)| bits <= self.most_bit_per_symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ascends_and_stays_under_shannon() {
        assert!(MODCODS.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        for (db, bits, name) in MODCODS {
            let bound = (1.0 + 10_f64.powf(db / 10.0)).log2();
            // No code of the table is nearer to the bound than half a decibel or farther than three.
            let needed_db = 10.0 * (2_f64.powf(bits) - 1.0).log10();
            assert!(
                (0.5..3.0).contains(&(db - needed_db)),
                "{name}: {bits} of {bound}"
            );
        }
    }

    #[test]
    fn a_modem_keeps_its_gap_and_its_cap() {
        let modem = Modem {
            gap_db: 1.5,
            most_bit_per_symbol: 3.0,
        };
        assert_eq!(modem.bit_per_symbol(-1.36), None);
        assert_eq!(modem.bit_per_symbol(11.71), Some((2.966_728, "16APSK 3/4")));
        assert_eq!(modem.bit_per_symbol(11.70), Some((2.637_201, "16APSK 2/3")));
        assert_eq!(modem.bit_per_symbol(30.0), Some((2.966_728, "16APSK 3/4")));
    }
}
