//! The services that can be called, and how each is asked.

/// How a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// By a form, answered in XML.
    Form {
        /// The version of the service's API.
        version: &'static str,
        /// Whether a list is `Name.1`, as EC2 has it, and not `Name.member.1`.
        plain_lists: bool,
    },
    /// By a JSON document, answered by one.
    Json {
        /// What the names of its actions begin with.
        target: &'static str,
        /// The version of the media type.
        version: &'static str,
    },
}

/// A service.
#[derive(Debug)]
pub(super) struct Service {
    /// What `service` names.
    pub(super) name: &'static str,
    /// What its host's name begins with.
    host: &'static str,
    /// What it is called in signatures.
    pub(super) signed_as: &'static str,
    pub(super) protocol: Protocol,
    /// Whether there is one for all regions.
    global: bool,
}

const fn form(name: &'static str, version: &'static str) -> Service {
    let protocol = Protocol::Form { version, plain_lists: false };
    Service { name, host: name, signed_as: name, protocol, global: false }
}

const fn json(name: &'static str, target: &'static str, version: &'static str) -> Service {
    Service { name, host: name, signed_as: name, protocol: Protocol::Json { target, version }, global: false }
}

/// All of them.
pub(super) const SERVICES: &[Service] = &[
    json("acm", "CertificateManager", "1.1"),
    json("application-autoscaling", "AnyScaleFrontendService", "1.1"),
    form("autoscaling", "2011-01-01"),
    form("cloudformation", "2010-05-15"),
    json("cloudtrail", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "1.1"),
    json("config", "StarlingDoveService", "1.1"),
    json("dynamodb", "DynamoDB_20120810", "1.0"),
    Service { protocol: Protocol::Form { version: "2016-11-15", plain_lists: true }, ..form("ec2", "2016-11-15") },
    Service { host: "api.ecr", ..json("ecr", "AmazonEC2ContainerRegistry_V20150921", "1.1") },
    json("ecs", "AmazonEC2ContainerServiceV20141113", "1.1"),
    form("elasticache", "2015-02-02"),
    form("elasticloadbalancing", "2015-12-01"),
    json("events", "AWSEvents", "1.1"),
    Service { global: true, ..form("iam", "2010-05-08") },
    json("kms", "TrentService", "1.1"),
    json("logs", "Logs_20140328", "1.1"),
    form("monitoring", "2010-08-01"),
    form("rds", "2014-10-31"),
    json("secretsmanager", "secretsmanager", "1.1"),
    form("sns", "2010-03-31"),
    json("sqs", "AmazonSQS", "1.0"),
    json("ssm", "AmazonSSM", "1.1"),
    json("states", "AWSStepFunctions", "1.0"),
    form("sts", "2011-06-15"),
];

impl Service {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SERVICES.iter().find(|service| service.name == name)
    }

    /// Its host in a region, and the region that its requests are signed for.
    pub(super) fn place<'a>(&self, region: &'a str) -> (String, &'a str) {
        let china = region.starts_with("cn-");
        let domain = if china { "amazonaws.com.cn" } else { "amazonaws.com" };
        if !self.global {
            return (format!("{}.{region}.{domain}", self.host), region);
        }
        if china {
            (format!("{}.cn-north-1.{domain}", self.host), "cn-north-1")
        } else if region.starts_with("us-gov-") {
            (format!("{}.us-gov.{domain}", self.host), "us-gov-west-1")
        } else {
            (format!("{}.{domain}", self.host), "us-east-1")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_where_aws_has_them() {
        let at = |name: &str, region| Service::named(name).unwrap().place(region);
        assert_eq!(at("ec2", "eu-central-1"), ("ec2.eu-central-1.amazonaws.com".to_owned(), "eu-central-1"));
        assert_eq!(at("ecr", "eu-west-1").0, "api.ecr.eu-west-1.amazonaws.com");
        assert_eq!(at("ssm", "cn-north-1").0, "ssm.cn-north-1.amazonaws.com.cn");
        assert_eq!(at("iam", "eu-central-1"), ("iam.amazonaws.com".to_owned(), "us-east-1"));
        assert_eq!(at("iam", "us-gov-east-1"), ("iam.us-gov.amazonaws.com".to_owned(), "us-gov-west-1"));
        assert_eq!(at("iam", "cn-northwest-1"), ("iam.cn-north-1.amazonaws.com.cn".to_owned(), "cn-north-1"));
        assert!(SERVICES.is_sorted_by_key(|service| service.name));
    }
}
