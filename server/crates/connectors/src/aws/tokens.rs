//! Which actions may be repeated: those that only read, and those that take a token by which AWS recognises a repetition.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::Repetition;

/// What the names of actions begin with that only read.
const READS: [&str; 4] = ["Describe", "List", "Get", "BatchGet"];

/// The actions whose parameter for such a token is called `ClientToken`, by service.
const CLIENT_TOKEN: &[(&str, &[&str])] = &[
    ("autoscaling", &["LaunchInstances"]),
    ("cloudformation", &["CreateChangeSet"]),
    (
        "ec2",
        &[
            "AllocateHosts",
            "AssociateClientVpnTargetNetwork",
            "AuthorizeClientVpnIngress",
            "CopyFpgaImage",
            "CopyImage",
            "CreateCapacityReservation",
            "CreateCapacityReservationFleet",
            "CreateCarrierGateway",
            "CreateClientVpnEndpoint",
            "CreateClientVpnRoute",
            "CreateEgressOnlyInternetGateway",
            "CreateFleet",
            "CreateFlowLogs",
            "CreateFpgaImage",
            "CreateInstanceConnectEndpoint",
            "CreateIpam",
            "CreateIpamPool",
            "CreateIpamScope",
            "CreateLaunchTemplate",
            "CreateLaunchTemplateVersion",
            "CreateManagedPrefixList",
            "CreateNatGateway",
            "CreateNetworkAcl",
            "CreateNetworkInsightsPath",
            "CreateNetworkInterface",
            "CreateReplaceRootVolumeTask",
            "CreateReservedInstancesListing",
            "CreateRouteTable",
            "CreateTrafficMirrorFilter",
            "CreateTrafficMirrorSession",
            "CreateTrafficMirrorTarget",
            "CreateVolume",
            "CreateVpcEndpoint",
            "CreateVpcEndpointConnectionNotification",
            "CreateVpcEndpointServiceConfiguration",
            "ExportImage",
            "ImportImage",
            "ImportSnapshot",
            "ModifyInstanceCreditSpecification",
            "ModifyLaunchTemplate",
            "ModifyReservedInstances",
            "ProvisionIpamPoolCidr",
            "PurchaseHostReservation",
            "PurchaseScheduledInstances",
            "RequestSpotInstances",
            "RunInstances",
            "RunScheduledInstances",
        ],
    ),
    (
        "ssm",
        &[
            "CreateMaintenanceWindow",
            "CreatePatchBaseline",
            "DeleteInventory",
            "RegisterTargetWithMaintenanceWindow",
            "RegisterTaskWithMaintenanceWindow",
            "StartAutomationExecution",
            "StartChangeRequestExecution",
        ],
    ),
];

/// Those where it is `ClientRequestToken`.
const CLIENT_REQUEST_TOKEN: &[(&str, &[&str])] = &[
    (
        "cloudformation",
        &[
            "CancelUpdateStack",
            "ContinueUpdateRollback",
            "CreateStack",
            "CreateStackSet",
            "DeleteStack",
            "ExecuteChangeSet",
            "RollbackStack",
            "UpdateStack",
        ],
    ),
    ("secretsmanager", &["CreateSecret", "PutSecretValue", "RotateSecret", "UpdateSecret"]),
];

/// Those where it is `clientToken`.
const LOWER_CLIENT_TOKEN: &[(&str, &[&str])] =
    &[("ecs", &["CreateService", "CreateTaskSet", "RunTask"]), ("states", &["RedriveExecution"])];

/// The parameter that takes such a token. Actions that forget it after minutes are not here.
pub(super) fn parameter(service: &str, action: &str) -> Option<&'static str> {
    let has =
        |table: &[(&str, &[&str])]| table.iter().any(|(name, actions)| *name == service && actions.contains(&action));
    if has(CLIENT_TOKEN) {
        Some("ClientToken")
    } else if has(CLIENT_REQUEST_TOKEN) {
        Some("ClientRequestToken")
    } else if has(LOWER_CLIENT_TOKEN) {
        Some("clientToken")
    } else {
        None
    }
}

/// The token of an idempotency key, in the form of a UUID: some services take nothing else.
pub(super) fn token(key: &str) -> String {
    let digest = hex::encode(Sha256::digest(key.as_bytes()));
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// Whether an action only reads, as far as its name says it.
pub(super) fn only_reads(service: &str, action: &str) -> bool {
    READS.iter().any(|prefix| action.starts_with(prefix))
        || (service == "dynamodb" && ["Query", "Scan", "TransactGetItems"].contains(&action))
}

/// What may be done about a call that may have happened.
pub(super) fn repetition(with: &Value) -> Repetition {
    let text = |name: &str| with.get(name).and_then(Value::as_str).unwrap_or_default();
    let (service, action) = (text("service"), text("action"));
    let dry = service == "ec2" && with.pointer("/parameters/DryRun") == Some(&Value::Bool(true));
    if dry || only_reads(service, action) || parameter(service, action).is_some() {
        Repetition::Safe
    } else {
        Repetition::Once
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_reads_or_takes_a_token_is_repeated_and_nothing_else() {
        let of = |service: &str, action: &str| repetition(&json!({"service": service, "action": action}));
        for (service, action) in [
            ("ec2", "DescribeInstances"),
            ("ec2", "RunInstances"),
            ("iam", "ListUsers"),
            ("ssm", "GetParameter"),
            ("secretsmanager", "CreateSecret"),
            ("ecs", "RunTask"),
            ("dynamodb", "Query"),
        ] {
            assert_eq!(of(service, action), Repetition::Safe, "{action}");
        }
        for (service, action) in [
            ("ec2", "TerminateInstances"),
            ("iam", "CreateUser"),
            ("autoscaling", "SetDesiredCapacity"),
            ("iam", "RunInstances"),
            ("sqs", "ReceiveMessage"),
        ] {
            assert_eq!(of(service, action), Repetition::Once, "{action}");
        }
        let dry = json!({"service": "ec2", "action": "StopInstances", "parameters": {"DryRun": true}});
        assert_eq!(repetition(&dry), Repetition::Safe);
    }

    #[test]
    fn a_token_has_the_form_of_a_uuid_and_is_the_same_for_the_same_key() {
        let token = token("run/do/0/make#1");
        assert!(uuid::Uuid::parse_str(&token).is_ok(), "{token}");
        assert_eq!(token, super::token("run/do/0/make#1"));
        assert_ne!(token, super::token("run/do/0/make#2"));
    }
}
