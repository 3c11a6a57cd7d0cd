//! Secrets that AWS gives out: they leave the connector sealed, to be passed on to other calls and read by nobody.

use identity::vault::Vault;
use serde_json::Value;

/// The members that are secret wherever they are.
const SECRET: [&str; 18] = [
    "SecretAccessKey",
    "SessionToken",
    "SecretString",
    "SecretBinary",
    "RandomPassword",
    "authorizationToken",
    "keyMaterial",
    "passwordData",
    "Plaintext",
    "PrivateKeyPlaintext",
    "SharedSecret",
    "PrivateKey",
    "ServicePassword",
    "Base32StringSeed",
    "QRCodePNG",
    "ActivationCode",
    "TokenValue",
    "customerGatewayConfiguration",
];

/// Seals what is secret.
pub(super) fn seal(value: &mut Value, vault: &Vault) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| seal(element, vault)),
        Value::Object(members) => {
            // A parameter of the Parameter Store that was given out decrypted.
            let decrypted = members.get("Type").and_then(Value::as_str) == Some("SecureString");
            for (name, value) in members {
                match value {
                    Value::String(text) if SECRET.contains(&name.as_str()) || (decrypted && name == "Value") => {
                        *text = vault.seal_value(text);
                    }
                    other => seal(other, vault),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
