use skyweave_world::*;
fn main() {
    let name = std::env::args().nth(1).unwrap_or("ukraine".into());
    let t = std::time::Instant::now();
    let w = World::load(
        &name,
        builtin_scenario(&name).unwrap(),
        &NoFiles,
        skyweave_base::Time::from_nanos(0),
    );
    let dt = t.elapsed();
    match w {
        Ok(w) => {
            println!("{}", w.summary());
            for p in w.warnings() {
                println!("{p}")
            }
            let t = std::time::Instant::now();
            let i = w.inputs(w.first_epoch());
            println!("inputs {:?} sats {}", t.elapsed(), i.satellites.len());
            for t in w.terminals() {
                println!("{} {:?}", t.name, t.place);
            }
            let mut per = std::collections::BTreeMap::new();
            for c in i.cells.iter() {
                *per.entry(c.pop.0).or_insert(0u64) += c.terminals as u64;
            }
            let mut m: Vec<_> = i.cells.iter().map(|c| c.terminals).collect();
            m.sort();
            println!("max {:?} median {}", &m[m.len() - 5..], m[m.len() / 2]);
        }
        Err(e) => println!("{e}"),
    }
    println!("{dt:?}");
}
