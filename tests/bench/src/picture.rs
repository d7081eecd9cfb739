//! The results as one SVG: memory, CPU and API requests for each refresh, by the
//! number of accounts, a bar for each program. Pure.

use anyhow::{Result, anyhow};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::results::{Results, Run};

const SIZE: (u32, u32) = (960, 360);
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// What one panel shows of a run.
type Value = fn(&Run) -> Option<f64>;

/// Draws what there is.
pub(crate) fn svg(results: &Results) -> Result<String> {
    let mut text = String::new();
    {
        let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let panels: [(&str, Value); 3] = [
            ("memory at most, MiB", memory),
            ("CPU for a refresh, ms", |run| {
                run.scenario("refresh")?.cpu_each()
            }),
            ("API requests for a refresh", |run| {
                let refresh = run.scenario("refresh")?;
                refresh.each(refresh.reads() + refresh.writes())
            }),
        ];
        let (top, bottom) = root.split_vertically(SIZE.1 - 60);
        for (area, (title, value)) in top.split_evenly((1, panels.len())).iter().zip(panels) {
            panel(area, title, results, value)?;
        }
        legend(&bottom, results)?;
        root.present().map_err(failed)?;
    }
    Ok(text)
}

fn failed<E: std::error::Error>(error: E) -> anyhow::Error {
    anyhow!("drawing: {error}")
}

/// The most that was resident at the end of any scenario with so many accounts: for
/// Okta's limits there are as many again.
fn memory(run: &Run) -> Option<f64> {
    let alike = run.scenarios.iter().filter(|one| one.scenario != "budget");
    let most = alike.map(|one| one.resident_kib).max()?;
    Some(most as f64 / 1024.0)
}

/// Name and flags of each program, in the order in which they came.
fn programs(results: &Results) -> Vec<(&str, &str)> {
    let mut known = Vec::new();
    for run in &results.runs {
        let program = (run.program.as_str(), run.flags.as_str());
        if !known.contains(&program) {
            known.push(program);
        }
    }
    known
}

fn panel<D: DrawingBackend>(
    area: &DrawingArea<D, plotters::coord::Shift>,
    title: &str,
    results: &Results,
    value: Value,
) -> Result<()>
where
    D::ErrorType: 'static,
{
    let bars: Vec<(&Run, f64)> = results
        .runs
        .iter()
        .filter_map(|run| value(run).map(|value| (run, value)))
        .collect();
    let most = bars.iter().map(|(_, value)| *value).fold(1.0, f64::max);
    let programs = programs(results);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..bars.len().max(1) as f64, 0.0..most * 1.15)
        .map_err(failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(0)
        .y_labels(6)
        .draw()
        .map_err(failed)?;
    let middle = |index: usize| index as f64 + 0.5;
    let centred =
        |vertical| TextStyle::from(("sans-serif", 11)).pos(Pos::new(HPos::Center, vertical));
    let drawn = bars.iter().enumerate().map(|(index, (run, value))| {
        let program = (run.program.as_str(), run.flags.as_str());
        let of = programs.iter().position(|known| *known == program);
        let colour = COLOURS[of.unwrap_or(0) % COLOURS.len()];
        let corners = [(middle(index) - 0.4, 0.0), (middle(index) + 0.4, *value)];
        Rectangle::new(corners, colour.filled())
    });
    chart.draw_series(drawn).map_err(failed)?;
    let values = bars.iter().enumerate().map(|(index, (_, value))| {
        let place = (middle(index), *value);
        Text::new(format!("{value:.1}"), place, centred(VPos::Bottom))
    });
    chart.draw_series(values).map_err(failed)?;
    let accounts = bars.iter().enumerate().map(|(index, (run, _))| {
        let text = Text::new(run.accounts.to_string(), (0, 6), centred(VPos::Top));
        EmptyElement::at((middle(index), 0.0)) + text
    });
    chart.draw_series(accounts).map_err(failed)?;
    Ok(())
}

fn legend<D: DrawingBackend>(
    area: &DrawingArea<D, plotters::coord::Shift>,
    results: &Results,
) -> Result<()>
where
    D::ErrorType: 'static,
{
    for (index, (program, flags)) in programs(results).into_iter().enumerate() {
        let y = i32::try_from(index * 18).unwrap_or(0);
        let colour = COLOURS[index % COLOURS.len()];
        let square = Rectangle::new([(20, y), (32, y + 12)], colour.filled());
        area.draw(&square).map_err(failed)?;
        let text = Text::new(format!("{program}: {flags}"), (40, y), ("sans-serif", 12));
        area.draw(&text).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Measured;

    #[test]
    fn every_program_is_in_the_picture() {
        let measured = |scenario: &str, mib: u64| Measured {
            scenario: scenario.to_owned(),
            operations: 100,
            resident_kib: mib * 1024,
            ..Measured::default()
        };
        let run = |program: &str| Run {
            program: program.to_owned(),
            accounts: 100,
            scenarios: vec![measured("refresh", 20), measured("budget", 30)],
            ..Run::default()
        };
        let results = Results {
            runs: vec![run("one"), run("other")],
        };
        let svg = svg(&results).unwrap();
        assert!(svg.starts_with("<svg"), "{svg}");
        for word in ["one: ", "other: ", "20.0\n", "100\n", "memory at most"] {
            assert!(svg.contains(word), "{word}");
        }
        assert!(!svg.contains("30.0\n"), "that was with as many again");
    }
}
