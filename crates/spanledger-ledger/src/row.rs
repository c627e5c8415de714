//! Events as rows, by the table of the event's columns and their forms.

use std::sync::LazyLock;

use spanledger_event::{COLUMNS, Cell, Column, CostEvent};

use crate::{
    error::RowError,
    evidence::Inherited,
    packed::{PackedRow, PackedRows, RowPacker, RowStatement},
    schema::{self, HEAD},
    storage::{self, Form},
};

mod forms;
mod read;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    forms::Forms,
    read::{read, read_head, read_template},
};

/// A column, its form, and the index of its first SQL column behind the [`HEAD`].
struct Place {
    column: &'static Column,
    form: Form,
    /// How many SQL columns it has.
    width: usize,
    /// Whether null stands for the value of `CostEvent::default()`.
    is_default_if_null: bool,
    index: usize,
    /// The index of the evidence's value behind all columns of the event.
    evidence: Option<usize>,
    /// The column's place among those that are taken from the evidence.
    inherited: Option<usize>,
}

static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| {
    let (mut index, mut evidence) = (0, 0);
    let place = |column: &'static Column| {
        let form = storage::form(column);
        let inherited = Inherited::place(column.name);
        let width = storage::width(column);
        let is_default_if_null = column.nullable || matches!(form, Form::WordOrDefault(_) | Form::Template);
        let evidence_index = inherited.map(|_| evidence);
        let place =
            Place { column, form, width, is_default_if_null, index, evidence: evidence_index, inherited };
        index += width;
        if inherited.is_some() {
            evidence += width;
        }
        place
    };
    COLUMNS.iter().map(place).collect()
});

/// The number of SQL columns of the event's columns.
static WIDTH: LazyLock<usize> = LazyLock::new(|| COLUMNS.iter().map(storage::width).sum());

/// The columns of a row of `event` or `superseded`, in the order in which they are bound.
pub(crate) static EVENT_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let head = HEAD.into_iter().map(str::to_owned);
    head.chain(schema::event_columns(COLUMNS)).collect::<Vec<_>>().join(", ")
});

/// What [`read`] reads: the event's columns, and those of its evidence.
pub(crate) static READ_COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let own = HEAD.into_iter().map(str::to_owned).chain(schema::event_columns(COLUMNS));
    let own = own.map(|name| format!("e.{name}"));
    let inherited = COLUMNS.iter().filter(|column| Inherited::place(column.name).is_some());
    let inherited = inherited.flat_map(storage::sql_columns).map(|(name, _)| format!("o.{name}"));
    own.chain(inherited).collect::<Vec<_>>().join(", ")
});

/// The row of an event's evidence beside its own row.
pub(crate) const JOIN_EVIDENCE: &str = "LEFT JOIN observation o ON o.seq = coalesce(e.evidence, e.seq)";

/// Selects an event by the number of its row.
pub(crate) static SELECT_EVENT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM event e {JOIN_EVIDENCE} WHERE e.seq = ?", *READ_COLUMNS));

fn write_sql(verb: &str) -> String {
    let parameters = ", ?".repeat(HEAD.len() + *WIDTH - 1);
    format!("{verb} INTO event ({}) VALUES (?{parameters})", *EVENT_COLUMNS)
}

/// Inserts a new event.
pub(crate) static INSERT_EVENT: LazyLock<String> = LazyLock::new(|| write_sql("INSERT"));
/// Replaces a stored event.
pub(crate) static REPLACE_EVENT: LazyLock<String> = LazyLock::new(|| write_sql("REPLACE"));

/// Keeps a revision of an event that a batch in flight contains.
pub(crate) static KEEP_SUPERSEDED: LazyLock<String> = LazyLock::new(|| {
    format!("INSERT INTO superseded ({0}) SELECT {0} FROM event WHERE seq = ?", *EVENT_COLUMNS)
});

/// The evidence of an event of which no observation can be it: no observation has this number.
pub(crate) const NO_EVIDENCE: i64 = 0;

/// The numbers at the beginning of an event's row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// The number of the row: that of the event's first observation.
    pub(crate) seq: i64,
    pub(crate) change_seq: i64,
    /// The observation whose identifiers, usage object and cost lines are the event's.
    pub(crate) evidence: i64,
    /// The last repricing that changed the event.
    pub(crate) epoch: Option<i64>,
}

/// Packs an event, but for the numbers of its [`HEAD`]. Values that the evidence has are left out.
pub(crate) fn pack(
    event: &CostEvent,
    inherited: Inherited,
    packer: &mut RowPacker<'_, '_>,
) -> Result<PackedRow, RowError> {
    let begin = packer.begin();
    for place in PLACES.iter() {
        if let Err(error) = pack_column(event, inherited, place, packer) {
            packer.undo(begin);
            return Err(error);
        }
    }
    Ok(packer.end(begin))
}

fn pack_column(
    event: &CostEvent,
    inherited: Inherited,
    place: &Place,
    packer: &mut RowPacker<'_, '_>,
) -> Result<(), RowError> {
    let parameter = HEAD.len() + place.index + 1;
    if place.inherited.is_some_and(|inheritable| inherited.has(inheritable))
        || matches!(place.form, Form::WordOrDefault(_)) && is_empty(event, place.column.name)
    {
        return Ok(());
    }
    match ((place.column.get)(event), place.form) {
        (Cell::Null, _) => {}
        (Cell::Integer(number), _) => packer.integer(parameter, number),
        (Cell::Boolean(truth), _) => packer.integer(parameter, truth.into()),
        (Cell::Timestamp(moment), _) => packer.integer(parameter, moment.nanos()),
        (Cell::Decimal(number), _) => packer.text(parameter, &number.normalize().to_string()),
        (Cell::Usd(usd), _) => {
            let (micros, picos) =
                usd.to_parts().ok_or(RowError::OutOfRange { column: place.column.name, usd })?;
            packer.integer(parameter, micros);
            packer.integer(parameter + 1, picos);
        }
        (Cell::Text(text) | Cell::Json(text), Form::Template) => packer.template(parameter, &text),
        (Cell::Text(text), Form::Uuid) => packer.uuid(parameter, &text),
        (Cell::Text(text), Form::Hex) => packer.hex(parameter, &text),
        (Cell::Text(text) | Cell::Json(text), Form::Word | Form::WordOrDefault(_)) => {
            packer.word(parameter, &text);
        }
        (Cell::Text(text) | Cell::Json(text), _) => packer.text(parameter, &text),
    }
    Ok(())
}

/// Writes a packed event with a statement of [`INSERT_EVENT`] or [`REPLACE_EVENT`].
pub(crate) fn write(
    statement: &mut RowStatement<'_>,
    rows: &PackedRows,
    row: &PackedRow,
    head: Head,
) -> rusqlite::Result<()> {
    rows.bind(row, statement)?;
    statement.bind(1, head.seq)?;
    statement.bind(2, head.change_seq)?;
    if head.evidence != head.seq {
        statement.bind(3, head.evidence)?;
    }
    if head.epoch.is_some() {
        statement.bind(4, head.epoch)?;
    }
    statement.execute()?;
    Ok(())
}

fn is_empty(event: &CostEvent, column: &str) -> bool {
    match column {
        "flags" => event.flags.is_empty(),
        "dims" => event.dims.is_empty(),
        _ => false,
    }
}
