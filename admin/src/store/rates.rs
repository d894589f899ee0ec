//! Rate cards' rows. Amounts are decimals as text.

use serde::Serialize;
use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::StoreError;
use super::instant::Instant;

/// What somebody pays for calls or numbers.
#[derive(Clone, Debug, Serialize, FromRow, ToSchema)]
pub struct Rate {
    /// Its id.
    pub id: Uuid,
    /// Whose calls it is for; null: all tenants'.
    pub tenant_id: Option<Uuid>,
    /// At which provider; null: at any.
    pub provider: Option<String>,
    /// The country of the called number, or of the number that is held, ISO 3166-1; null: any.
    pub country: Option<String>,
    /// `inbound` or `outbound`; null: both.
    pub direction: Option<String>,
    /// What is paid for: `per_minute`, `per_call`, `per_number_month`, or `stage:` with `transport`, `stt`, `llm`, `tts` or
    /// `platform`: per minute of that part of a call.
    pub kind: String,
    /// How much: a decimal of at most six places.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// Calls are billed in steps of so many seconds.
    pub increment_s: i32,
    /// A call that lasted at all is billed as no shorter, in seconds.
    pub minimum_s: i32,
    /// It holds for calls that begin at this time or later.
    #[schema(value_type = String, format = DateTime)]
    pub valid_from: Instant,
    /// It doesn't hold from this time on; null: it holds for good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_to: Option<Instant>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Instant,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Instant,
}

/// A rate's columns, as a [`Rate`] is read.
macro_rules! columns {
    () => {
        "id, tenant_id, provider, country, direction, kind, usage_amount_text(amount) AS amount, currency, increment_s,
            minimum_s, valid_from, valid_to, created_at, updated_at"
    };
}

/// What people set of a rate.
#[derive(Clone, Debug)]
pub struct RateFields {
    /// Whose calls it is for.
    pub tenant: Option<Uuid>,
    /// At which provider.
    pub provider: Option<String>,
    /// Of which country.
    pub country: Option<String>,
    /// Which way.
    pub direction: Option<String>,
    /// What is paid for.
    pub kind: String,
    /// How much.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// In seconds.
    pub increment_s: i32,
    /// In seconds.
    pub minimum_s: i32,
    /// From when on.
    pub valid_from: Instant,
    /// Until when.
    pub valid_to: Option<Instant>,
}

/// Which rates a list has.
#[derive(Clone, Debug, Default)]
pub struct RateFilter {
    /// Those of this tenant alone.
    pub tenant: Option<Uuid>,
    /// Those at this provider alone.
    pub provider: Option<String>,
    /// Those of this kind.
    pub kind: Option<&'static str>,
}

/// Inserts a rate. Usage that it has a part in is worked out anew. For operators.
///
/// # Errors
/// [`StoreError::RateAmbiguous`]; [`StoreError::NotFound`]: there is no such tenant.
pub async fn insert(conn: &mut PgConnection, fields: &RateFields) -> Result<Rate, StoreError> {
    let query = sqlx::query_as(concat!(
        "INSERT INTO rates (id, tenant_id, provider, country, direction, kind, amount, currency, increment_s, minimum_s,
            valid_from, valid_to)
         VALUES ($1, $2, $3, $4, $5, $6, $7::numeric, $8, $9, $10, $11, $12) RETURNING ",
        columns!()
    ));
    let rate = bind(query, Uuid::now_v7(), fields).fetch_one(&mut *conn).await?;
    mark(conn, &rate).await?;
    Ok(rate)
}

type RateQuery<'q> = sqlx::query::QueryAs<'q, sqlx::Postgres, Rate, sqlx::postgres::PgArguments>;

fn bind<'q>(query: RateQuery<'q>, id: Uuid, fields: &'q RateFields) -> RateQuery<'q> {
    query
        .bind(id)
        .bind(fields.tenant)
        .bind(&fields.provider)
        .bind(&fields.country)
        .bind(&fields.direction)
        .bind(&fields.kind)
        .bind(&fields.amount)
        .bind(&fields.currency)
        .bind(fields.increment_s)
        .bind(fields.minimum_s)
        .bind(fields.valid_from)
        .bind(fields.valid_to)
}

/// The rate.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn find(conn: &mut PgConnection, id: Uuid) -> Result<Rate, StoreError> {
    Ok(sqlx::query_as(concat!("SELECT ", columns!(), " FROM rates WHERE id = $1"))
        .bind(id)
        .fetch_one(conn)
        .await?)
}

/// The rate, locked until the transaction ends.
///
/// # Errors
/// [`StoreError::NotFound`].
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<Rate, StoreError> {
    Ok(sqlx::query_as(concat!("SELECT ", columns!(), " FROM rates WHERE id = $1 FOR UPDATE"))
        .bind(id)
        .fetch_one(conn)
        .await?)
}

/// The rates behind `after`, oldest first.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn list(
    conn: &mut PgConnection,
    filter: &RateFilter,
    after: Option<Uuid>,
    rows_max: i64,
) -> Result<Vec<Rate>, StoreError> {
    Ok(sqlx::query_as(concat!(
        "SELECT ",
        columns!(),
        " FROM rates WHERE ($1::uuid IS NULL OR id > $1) AND ($3::uuid IS NULL OR tenant_id = $3)
            AND ($4::text IS NULL OR provider = $4) AND ($5::text IS NULL OR kind = $5) ORDER BY id LIMIT $2"
    ))
    .bind(after)
    .bind(rows_max)
    .bind(filter.tenant)
    .bind(&filter.provider)
    .bind(filter.kind)
    .fetch_all(conn)
    .await?)
}

/// Sets a locked rate's fields. Usage that it had or has a part in is worked out anew.
///
/// # Errors
/// [`StoreError::RateAmbiguous`]; [`StoreError::NotFound`]: there is no such tenant.
pub async fn update(conn: &mut PgConnection, before: &Rate, fields: &RateFields) -> Result<Rate, StoreError> {
    let query = sqlx::query_as(concat!(
        "UPDATE rates SET tenant_id = $2, provider = $3, country = $4, direction = $5, kind = $6, amount = $7::numeric,
            currency = $8, increment_s = $9, minimum_s = $10, valid_from = $11, valid_to = $12, updated_at = now()
         WHERE id = $1 RETURNING ",
        columns!()
    ));
    let rate = bind(query, before.id, fields).fetch_one(&mut *conn).await?;
    mark(conn, before).await?;
    mark(conn, &rate).await?;
    Ok(rate)
}

/// Deletes a locked rate. Usage that it had a part in is worked out anew.
///
/// # Errors
/// When Postgres can't be asked.
pub async fn delete(conn: &mut PgConnection, rate: &Rate) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM rates WHERE id = $1").bind(rate.id).execute(&mut *conn).await?;
    mark(conn, rate).await
}

async fn mark(conn: &mut PgConnection, rate: &Rate) -> Result<(), StoreError> {
    sqlx::query("SELECT usage_mark_rate($1, $2, $3, $4)")
        .bind(rate.tenant_id)
        .bind(&rate.provider)
        .bind(rate.valid_from)
        .bind(rate.valid_to)
        .execute(conn)
        .await?;
    Ok(())
}
