//! What the types in a handler's signature mean for the description of its route.

use std::collections::BTreeMap;

use actix_web::web::{Data, Json};
use ffleet_protocol::problem::Code;
use serde::{Serialize, de::DeserializeOwned};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, Ref, RefOr, Required, ResponseBuilder, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        request_body::{RequestBody, RequestBodyBuilder},
        response::Response,
        schema::{SchemaType, Type},
    },
};

use super::{
    answer::{Done, Frames, Lines, Made, Maybe},
    auth::{Body, Large, Nothing, Signed, Who},
    body::Takes,
    error::ApiError,
    events::LastEventId,
    health::Machine,
    params::{FromQuery, Id, PathId, Query},
};

/// What is known about a route.
pub struct Sketch {
    pub(super) id: String,
    pub(super) group: &'static str,
    pub(super) about: &'static str,
    /// Who may call, for people; none means that no signature is needed.
    pub(super) roles: Option<&'static str>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<RequestBody>,
    pub(super) answers: Vec<(&'static str, Response)>,
    pub(super) refusals: Vec<Code>,
    pub(super) schemas: BTreeMap<String, RefOr<Schema>>,
}

impl Sketch {
    /// Of the handler with this path, such as `ffleet_coordinator::http::jobs::submit`.
    pub fn new(handler: &str, group: &'static str, about: &'static str) -> Self {
        let mut words: Vec<_> = handler.rsplit("::").take(2).collect();
        words.reverse();
        Self {
            id: words.join("_"),
            group,
            about,
            roles: None,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            schemas: BTreeMap::new(),
        }
    }

    /// It may be refused with these codes, besides those that its types bring.
    pub fn refuse(&mut self, codes: &[Code]) {
        for code in codes {
            if !self.refusals.contains(code) {
                self.refusals.push(*code);
            }
        }
    }

    /// A reference to the schema of a type, which is described elsewhere once.
    fn schema_of<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        self.schemas.extend(found);
        Ref::from_schema_name(T::name()).into()
    }

    fn answer(&mut self, status: &'static str, about: &'static str, content: Option<(&str, RefOr<Schema>)>) {
        let mut response = ResponseBuilder::new().description(about);
        if let Some((kind, schema)) = content {
            response = response.content(kind, Content::new(Some(schema)));
        }
        self.answers.push((status, response.build()));
    }

    /// A text in a form of its own.
    pub(super) fn text(&mut self, status: &'static str, about: &'static str, kind: &str) {
        self.answer(status, about, Some((kind, RefOr::T(utoipa::openapi::schema::empty()))));
    }

    /// A value in JSON.
    pub(super) fn json<T: ToSchema>(&mut self, status: &'static str, about: &'static str) {
        let schema = self.schema_of::<T>();
        self.answer(status, about, Some(("application/json", schema)));
    }
}

/// A type that a handler takes or gives.
pub trait Describe {
    /// Adds what it means.
    fn describe(sketch: &mut Sketch);
}

/// A body that a handler takes.
pub trait DescribeBody {
    /// Adds what it means.
    fn describe_body(sketch: &mut Sketch);
}

impl DescribeBody for Nothing {
    fn describe_body(_: &mut Sketch) {}
}

impl<T: ToSchema + DeserializeOwned> DescribeBody for Body<T> {
    fn describe_body(sketch: &mut Sketch) {
        takes_json::<T>(sketch, "At most 1 MiB.");
    }
}

impl<T: ToSchema + DeserializeOwned> DescribeBody for Large<T> {
    fn describe_body(sketch: &mut Sketch) {
        takes_json::<T>(sketch, "At most 8 MiB.");
    }
}

fn takes_json<T: ToSchema>(sketch: &mut Sketch, size: &str) {
    let content = Content::new(Some(sketch.schema_of::<T>()));
    let body = RequestBodyBuilder::new().description(Some(size)).required(Some(Required::True));
    sketch.body = Some(body.content("application/json", content).build());
    sketch.refuse(&[Code::BrokenJson, Code::UnknownField, Code::SlowBody, Code::TooLarge, Code::UnsupportedMediaType]);
}

impl<W: Who, B: Takes + DescribeBody> Describe for Signed<W, B> {
    fn describe(sketch: &mut Sketch) {
        sketch.roles = Some(W::WORDS);
        sketch.refuse(&[Code::BadRequest, Code::Unauthorized, Code::ClockSkew, Code::WrongRole]);
        B::describe_body(sketch);
        sketch.refuse(&[Code::Internal, Code::Unavailable]);
    }
}

impl<T: 'static> Describe for Data<T> {
    fn describe(_: &mut Sketch) {}
}

impl Describe for Machine {
    fn describe(sketch: &mut Sketch) {
        sketch.refuse(&[Code::NotFound]);
    }
}

impl Describe for LastEventId {
    fn describe(sketch: &mut Sketch) {
        let about = "The id of the last event that was seen; what came after it follows.";
        let header = ParameterBuilder::new().name("Last-Event-ID").parameter_in(ParameterIn::Header);
        let header = header.required(Required::False).description(Some(about)).schema(Some(String::schema()));
        sketch.parameters.push(header.build());
        sketch.refuse(&[Code::BadCursor]);
    }
}

impl<T: PathId + PartialSchema> Describe for Id<T> {
    fn describe(sketch: &mut Sketch) {
        let path = ParameterBuilder::new().name("id").parameter_in(ParameterIn::Path).required(Required::True);
        sketch.parameters.push(path.schema(Some(T::schema())).build());
        sketch.refuse(&[T::MISSING]);
    }
}

/// Each field of the struct is a parameter.
impl<T: FromQuery + ToSchema> Describe for Query<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.refuse(&[Code::UnknownField]);
        let mut used = Vec::new();
        T::schemas(&mut used);
        sketch.schemas.extend(used);
        if let RefOr::T(Schema::Object(object)) = T::schema() {
            for (name, schema) in object.properties {
                let required = if object.required.contains(&name) { Required::True } else { Required::False };
                let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(required);
                sketch.parameters.push(parameter.schema(Some(given(schema))).build());
            }
        }
    }
}

/// A parameter may be left away, but it cannot be given as null.
fn given(schema: RefOr<Schema>) -> RefOr<Schema> {
    let is_null = |item: &RefOr<Schema>| matches!(item, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null));
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &object.schema_type
                && let [first, Type::Null] = types.as_slice()
            {
                object.schema_type = SchemaType::Type(first.clone());
            }
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::OneOf(mut one)) => {
            one.items.retain(|item| !is_null(item));
            match (one.items.pop(), one.items.is_empty()) {
                (Some(only), true) => only,
                (last, _) => {
                    one.items.extend(last);
                    RefOr::T(Schema::OneOf(one))
                }
            }
        }
        other => other,
    }
}

impl<T: Describe> Describe for Result<T, ApiError> {
    fn describe(sketch: &mut Sketch) {
        T::describe(sketch);
    }
}

impl<T: Serialize + ToSchema> Describe for Json<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.json::<T>("200", "Done.");
    }
}

impl<T: Serialize + ToSchema> Describe for Made<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.json::<T>("201", "Made.");
        sketch.json::<T>("200", "An earlier request with the same idempotency key had made it.");
    }
}

impl<T: Serialize + ToSchema> Describe for Maybe<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.json::<T>("200", "There is something.");
        sketch.answer("204", "There was nothing.", None);
    }
}

impl Describe for Done {
    fn describe(sketch: &mut Sketch) {
        sketch.json::<Self>("200", "Done.");
    }
}

impl<S> Describe for Lines<S> {
    fn describe(sketch: &mut Sketch) {
        let schema = sketch.schema_of::<ffleet_protocol::log::FollowRecord>();
        sketch.answer("200", "One record a line, as they come.", Some(("application/x-ndjson", schema)));
    }
}

impl<S> Describe for Frames<S> {
    fn describe(sketch: &mut Sketch) {
        let schema = sketch.schema_of::<ffleet_protocol::event::Event>();
        sketch.answer(
            "200",
            "Server-sent events, each with its id, as they come.",
            Some(("text/event-stream", schema)),
        );
    }
}

macro_rules! all_of {
    ($($part:ident)*) => {
        impl<$($part: Describe),*> Describe for ($($part,)*) {
            fn describe(sketch: &mut Sketch) {
                $($part::describe(sketch);)*
            }
        }
    };
}

all_of!(A);
all_of!(A B);
all_of!(A B C);
all_of!(A B C D);
