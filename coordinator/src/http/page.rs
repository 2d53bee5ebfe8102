//! The shape of the page of routes: each entry is served and described from the same handler, so that the description
//! cannot say anything else than what the handler's types do.

use actix_web::{
    FromRequest, Handler, Responder, Route,
    http::Method,
    web::{self, ServiceConfig},
};
use ffleet_protocol::problem::Code;
use utoipa::openapi::HttpMethod;

use super::{
    describe::{Describe, Sketch},
    error::ApiError,
};

/// Every route.
#[derive(Default)]
pub struct Page {
    pub(super) groups: Vec<Group>,
    entries: Vec<Entry>,
}

/// Routes with the same callers.
pub struct Group {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
}

/// One route.
pub struct Entry {
    pub(super) methods: &'static [Method],
    pub(super) path: &'static str,
    pub(super) sketch: Sketch,
    route: Route,
}

impl Entry {
    /// The method in the description's words.
    pub(super) fn http_method(&self) -> HttpMethod {
        match self.methods.first() {
            Some(&Method::POST) => HttpMethod::Post,
            Some(&Method::PUT) => HttpMethod::Put,
            Some(&Method::DELETE) => HttpMethod::Delete,
            _ => HttpMethod::Get,
        }
    }
}

/// Adds a route of one method.
macro_rules! method {
    ($(#[$doc:meta])* $name:ident, $methods:expr) => {
        $(#[$doc])*
        pub fn $name<F, Args>(&mut self, path: &'static str, handler: F, about: &'static str, refusals: &[Code])
        where
            F: Handler<Args>,
            Args: FromRequest + Describe + 'static,
            F::Output: Responder + Describe + 'static,
        {
            self.add($methods, path, handler, about, refusals);
        }
    };
}

impl Page {
    /// What follows belongs to this group.
    pub fn group(&mut self, name: &'static str, about: &'static str) {
        self.groups.push(Group { name, about });
    }

    method!(
        /// Answers GET.
        get, &[Method::GET]
    );
    method!(
        /// Answers GET and, as load balancers ask that way, HEAD.
        probe, &[Method::GET, Method::HEAD]
    );
    method!(
        /// Answers POST.
        post, &[Method::POST]
    );
    method!(
        /// Answers PUT.
        put, &[Method::PUT]
    );
    method!(
        /// Answers DELETE.
        delete, &[Method::DELETE]
    );

    fn add<F, Args>(
        &mut self,
        methods: &'static [Method],
        path: &'static str,
        handler: F,
        about: &'static str,
        refusals: &[Code],
    ) where
        F: Handler<Args>,
        Args: FromRequest + Describe + 'static,
        F::Output: Responder + Describe + 'static,
    {
        let mut sketch =
            Sketch::new(std::any::type_name::<F>(), self.groups.last().map_or("", |group| group.name), about);
        Args::describe(&mut sketch);
        F::Output::describe(&mut sketch);
        sketch.refuse(refusals);
        let is_ours = |context: &actix_web::guard::GuardContext<'_>| methods.contains(&context.head().method);
        let route = web::route().guard(actix_web::guard::fn_guard(is_ours)).to(handler);
        self.entries.push(Entry { methods, path, sketch, route });
    }

    /// The routes, without what serves them.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Serves the page. Whatever is not on it is answered with what is.
    pub fn install(self, config: &mut ServiceConfig) {
        let mut paths: Vec<(&'static str, Vec<&'static Method>, actix_web::Resource)> = Vec::new();
        for Entry { methods, path, route, sketch: _ } in self.entries {
            match paths.iter_mut().position(|(known, _, _)| *known == path) {
                Some(index) => {
                    let (path, mut allowed, resource) = paths.swap_remove(index);
                    allowed.extend(methods);
                    paths.push((path, allowed, resource.route(route)));
                }
                None => paths.push((path, methods.iter().collect(), web::resource(split(path).1).route(route))),
            }
        }
        let mut scopes: Vec<(&'static str, actix_web::Scope)> = Vec::new();
        for (path, allowed, resource) in paths {
            let allow = allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
            let resource = resource.default_service(web::to(move || {
                let allow = allow.clone();
                async move { Err::<web::Json<()>, _>(ApiError::MethodNotAllowed { allow }) }
            }));
            let beginning = split(path).0;
            if beginning.is_empty() {
                config.service(resource);
                continue;
            }
            match scopes.iter_mut().position(|(known, _)| *known == beginning) {
                Some(index) => {
                    let (beginning, scope) = scopes.swap_remove(index);
                    scopes.push((beginning, scope.service(resource)));
                }
                None => scopes.push((beginning, web::scope(beginning).service(resource))),
            }
        }
        for (_, scope) in scopes {
            config.service(scope);
        }
        config.default_service(web::to(async |request: actix_web::HttpRequest| {
            Err::<web::Json<()>, _>(ApiError::NotFound(request.path().to_owned()))
        }));
    }
}
/// A path up to the end of its first parameter, and the rest. Each path with a parameter that is tried costs a regular
/// expression, so those with the same beginning share it.
fn split(path: &'static str) -> (&'static str, &'static str) {
    path.split_at(path.find('}').map_or(0, |end| end + 1))
}
