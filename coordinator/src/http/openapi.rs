//! The description of the API, written from the page of routes. A diff in `coordinator/openapi.json` is a diff in the
//! contract.

use std::collections::BTreeMap;

use ffleet_protocol::problem::{Code, Problem};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ComponentsBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths, Ref,
        ResponseBuilder,
        extensions::ExtensionsBuilder,
        path::{Operation, OperationBuilder, PathItem},
        security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{describe::Sketch, routes};

const ABOUT: &str = "Jobs are submitted, followed and steered by clients, claimed and reported by workers.\n\n\
    Every call below /v1 is signed: HTTP Message Signatures (RFC 9421) with `hmac-sha256`, tag `ffleet`, covering \
    `@method`, `@authority`, `@path` and `@query`, with a body also `content-digest` (RFC 9530, sha-256), and \
    `idempotency-key` where it is sent; with `created`, `keyid`, `alg` and, on everything but GET and HEAD, a fresh \
    `nonce` of at least 96 random bits.\n\n\
    Errors are RFC 9457 problems; `code` is for programs and never changes, `detail` says what to do.";
const SIGNATURE: &str = "signature";

/// The description of every route.
#[must_use]
pub fn openapi() -> OpenApi {
    let page = routes::page();
    let mut paths = Paths::new();
    let mut schemas = BTreeMap::from([(Problem::name().into_owned(), Problem::schema())]);
    let mut of_problem = Vec::new();
    Problem::schemas(&mut of_problem);
    schemas.extend(of_problem);
    for entry in page.entries() {
        schemas.extend(entry.sketch.schemas.clone());
        let item = PathItem::new(entry.http_method(), operation(&entry.sketch));
        match paths.paths.get_mut(entry.path) {
            Some(known) => known.merge_operations(item),
            None => {
                paths.paths.insert(entry.path.to_owned(), item);
            }
        }
    }
    let tag = |group: &super::page::Group| TagBuilder::new().name(group.name).description(Some(group.about)).build();
    let info = InfoBuilder::new()
        .title("ffleet coordinator")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new()
        .info(info.build())
        .paths(paths)
        .components(Some(components(schemas)))
        .tags(Some(page.groups.iter().map(tag)))
        .build()
}

fn components(schemas: BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Schema>>) -> Components {
    let about = "The headers Signature and Signature-Input of RFC 9421; see the description of the whole.";
    let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description("Signature", about)));
    ComponentsBuilder::new().schemas_from_iter(schemas).security_scheme(SIGNATURE, scheme).build()
}

fn operation(sketch: &Sketch) -> Operation {
    let mut operation = OperationBuilder::new()
        .tag(sketch.group)
        .operation_id(Some(sketch.id.clone()))
        .summary(Some(sketch.about))
        .request_body(sketch.body.clone());
    if !sketch.parameters.is_empty() {
        operation = operation.parameters(Some(sketch.parameters.clone()));
    }
    for (status, response) in &sketch.answers {
        operation = operation.response(*status, response.clone());
    }
    for (status, codes) in by_status(&sketch.refusals) {
        let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
        let words: Vec<_> = codes.iter().map(|code| format!("`{code}`: {}", code.title())).collect();
        let response =
            ResponseBuilder::new().description(words.join("\n\n")).content("application/problem+json", problem);
        operation = operation.response(status.to_string(), response.build());
    }
    match sketch.roles {
        Some(roles) => operation
            .description(Some(format!("For {roles}.")))
            .security(SecurityRequirement::new(SIGNATURE, Vec::<String>::new()))
            .extensions(Some(ExtensionsBuilder::new().add("x-for", roles).build()))
            .build(),
        None => operation.description(Some("For machines nearby; needs no signature.")).build(),
    }
}

fn by_status(codes: &[Code]) -> BTreeMap<u16, Vec<Code>> {
    let mut sorted: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        sorted.entry(code.status()).or_default().push(*code);
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(item: &PathItem) -> impl Iterator<Item = &Operation> {
        [&item.get, &item.post, &item.put, &item.delete].into_iter().flatten()
    }

    #[test]
    fn every_route_names_a_role_and_has_a_name_of_its_own() {
        let document = openapi();
        let mut names = std::collections::BTreeSet::new();
        for (path, item) in &document.paths.paths {
            for operation in operations(item) {
                assert!(names.insert(operation.operation_id.clone()), "{:?} twice", operation.operation_id);
                let roles = operation.extensions.as_ref().and_then(|all| all.get("x-for"));
                assert_eq!(roles.is_some(), path.starts_with("/v1/"), "{path}");
                assert_eq!(operation.security.is_some(), path.starts_with("/v1/"), "{path}");
            }
        }
    }

    #[test]
    fn everything_that_is_referred_to_is_there() {
        let text = openapi().to_json().unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name = text[at..].trim_start_matches("#/components/schemas/").split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is not described");
        }
    }
}
