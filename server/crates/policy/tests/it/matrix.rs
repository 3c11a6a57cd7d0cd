use std::fmt::Write;

use domain::{Operation, Role, Scope};
use policy::{Policies, Principal, Resource, ResourceKind};

use crate::fixture::{ME, OTHER, me, on, resource};

/// The letters of the table, each with the grant's scope and the resource.
fn situations(kind: ResourceKind) -> [(char, Scope, Resource); 7] {
    let namespaced = |owner, asked: &[_], scope| resource(kind, owner, asked, &on(scope));
    [
        ('o', on("here"), namespaced(ME, &[], "elsewhere")),
        ('w', on("here"), namespaced(ME, &[], "here")),
        ('a', on("here"), namespaced(OTHER, &[ME], "elsewhere")),
        ('i', on("here"), namespaced(OTHER, &[], "here")),
        ('x', on("here"), namespaced(OTHER, &[], "elsewhere")),
        ('e', Scope::Everywhere, namespaced(OTHER, &[], "here")),
        ('p', Scope::Everywhere, resource(kind, OTHER, &[], &Scope::Everywhere)),
    ]
}

fn cell(
    policies: &Policies,
    operation: Operation,
    kind: ResourceKind,
    who: &dyn Fn(Scope) -> Option<Principal>,
) -> String {
    situations(kind)
        .into_iter()
        .map(|(letter, scope, resource)| {
            let principal = who(scope);
            if policies.decide(principal.as_ref(), operation, &resource).allowed { letter } else { '-' }
        })
        .collect()
}

#[test]
fn the_table_of_operations_and_roles_is_as_agreed() {
    let policies = Policies::builtin().unwrap();
    let mut table = String::from(
        "o: one's own, in another namespace than the role   w: one's own, role on its namespace\n\
         a: asked about it, in another namespace than the role\n\
         i: somebody else's, role on its namespace          x: somebody else's, role on another namespace\n\
         e: somebody else's in a namespace, role everywhere p: of no namespace, role everywhere\n\n",
    );
    write!(table, "{:<20} {:<12} {:<9} {:<9} {:<9}", "operation", "on", "signedout", "disabled", "no-role").unwrap();
    for role in Role::ALL {
        write!(table, " {:<9}", role.as_str().chars().take(9).collect::<String>()).unwrap();
    }
    for operation in Operation::ALL {
        for kind in ResourceKind::ALL {
            let signed_out = cell(&policies, *operation, *kind, &|_| None);
            let disabled = cell(&policies, *operation, *kind, &|scope| {
                let grants = Role::ALL.iter().map(|role| (*role, scope.clone())).collect();
                Some(Principal { active: false, ..me(grants) })
            });
            let mut cells = vec![signed_out, disabled, cell(&policies, *operation, *kind, &|_| Some(me(vec![])))];
            for role in Role::ALL {
                cells.push(cell(&policies, *operation, *kind, &|scope| Some(me(vec![(*role, scope)]))));
            }
            if cells.iter().any(|cell| cell != "-------") {
                write!(table, "\n{:<20} {:<12}", operation.as_str(), kind.as_str()).unwrap();
                for cell in cells {
                    write!(table, " {cell:<9}").unwrap();
                }
            }
        }
    }
    let table: Vec<_> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(table.join("\n"));
}
