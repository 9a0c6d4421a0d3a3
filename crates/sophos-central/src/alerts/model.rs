//! What the service says about alerts.

use crate::id::AlertId;
use crate::tenants::TenantRef;
use crate::time::Time;
use crate::wire::{model, values};

values! {
    /// How bad an alert is.
    pub enum Severity as "alert severity" {
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
    }
}

values! {
    /// The product an alert comes from.
    pub enum Product as "alert product" {
        /// None of the others.
        OtherProduct = "other",
        /// Protection of computers.
        Endpoint = "endpoint",
        /// Protection of servers.
        Server = "server",
        /// Mobile devices.
        Mobile = "mobile",
        /// Device encryption.
        Encryption = "encryption",
        /// Email gateway.
        EmailGateway = "emailGateway",
        /// Web gateway.
        WebGateway = "webGateway",
        /// Phishing training.
        PhishThreat = "phishThreat",
        /// Wireless.
        Wireless = "wireless",
        /// Public cloud.
        Iaas = "iaas",
        /// Firewall.
        Firewall = "firewall",
    }
}

values! {
    /// What an alert is about.
    pub enum Category as "alert category" {
        /// Azure.
        Azure = "azure",
        /// Synchronisation of Active Directory.
        AdSync = "adSync",
        /// Application control.
        ApplicationControl = "applicationControl",
        /// Reputation of applications.
        AppReputation = "appReputation",
        /// Blocked items.
        BlockListed = "blockListed",
        /// Connectivity.
        Connectivity = "connectivity",
        /// Web gateway.
        Cwg = "cwg",
        /// Device encryption.
        Denc = "denc",
        /// Reputation of downloads.
        DownloadReputation = "downloadReputation",
        /// Firewall of the endpoint.
        EndpointFirewall = "endpointFirewall",
        /// File encryption.
        Fenc = "fenc",
        /// Forensic snapshots.
        ForensicSnapshot = "forensicSnapshot",
        /// Anything else.
        General = "general",
        /// Public cloud.
        Iaas = "iaas",
        /// Public cloud of Azure.
        IaasAzure = "iaasAzure",
        /// Isolation of endpoints.
        Isolation = "isolation",
        /// Malware.
        Malware = "malware",
        /// Managed response.
        Mtr = "mtr",
        /// Mobile devices.
        Mobiles = "mobiles",
        /// Policies.
        Policy = "policy",
        /// Protection.
        Protection = "protection",
        /// Potentially unwanted applications.
        Pua = "pua",
        /// Detections at run time.
        RuntimeDetections = "runtimeDetections",
        /// Security.
        Security = "security",
        /// Mobile control.
        Smc = "smc",
        /// Health of the system.
        SystemHealth = "systemHealth",
        /// Mobile security.
        Uav = "uav",
        /// No category.
        Uncategorized = "uncategorized",
        /// Updating.
        Updating = "updating",
        /// UTM appliances.
        Utm = "utm",
        /// Virtual security.
        Virt = "virt",
        /// Wireless.
        Wireless = "wireless",
        /// Email protection of XG appliances.
        XgEmail = "xgEmail",
    }
}

values! {
    /// What can be done about an alert.
    pub enum AlertAction as "alert action" {
        /// Take note of it; the alert leaves the list.
        Acknowledge = "acknowledge",
        /// Remove a potentially unwanted application.
        CleanPua = "cleanPua",
        /// Remove a virus.
        CleanVirus = "cleanVirus",
        /// Allow a potentially unwanted application.
        AuthPua = "authPua",
        /// Clear a threat.
        ClearThreat = "clearThreat",
        /// Clear an exploit detection.
        ClearHmpa = "clearHmpa",
        /// Send a message about a potentially unwanted application.
        SendMsgPua = "sendMsgPua",
        /// Send a message about a threat.
        SendMsgThreat = "sendMsgThreat",
    }
}

values! {
    /// What kind of thing an alert is about.
    pub enum AgentType as "agent type" {
        /// A computer.
        Computer = "computer",
        /// A server.
        Server = "server",
        /// A mobile device.
        Mobile = "mobile",
        /// A security virtual machine.
        SecurityVm = "securityVm",
        /// A UTM appliance.
        Utm = "utm",
        /// A wireless access point.
        AccessPoint = "accessPoint",
        /// A wireless network.
        WirelessNetwork = "wirelessNetwork",
        /// A mailbox.
        Mailbox = "mailbox",
        /// A Linux sensor.
        Slec = "slec",
        /// A firewall.
        XgFirewall = "xgFirewall",
    }
}

model! {
    /// Something that happened and may need somebody to act.
    pub struct Alert {
        @required {
            /// Its id.
            id: AlertId,
        }
        /// What can be done about it; anything else is refused by the service.
        allowed_actions: Vec<AlertAction>,
        /// What it is about.
        category: Option<Category>,
        /// A sentence for people.
        description: Option<String>,
        /// Alerts with the same key belong together.
        group_key: Option<String>,
        /// The device; may be there without any member.
        managed_agent: Option<ManagedAgent>,
        /// The person.
        person: Option<PersonRef>,
        /// The product it comes from.
        product: Option<Product>,
        /// When it was raised; often without a zone, which means UTC.
        raised_at: Option<Time>,
        /// How bad it is.
        severity: Option<Severity>,
        /// The tenant it belongs to.
        tenant: Option<TenantRef>,
        /// What kind of event it is, such as `Event::Endpoint::CorePuaDetection`.
        kind as "type": Option<String>,
    }
}

model! {
    /// The device that an alert is about.
    pub struct ManagedAgent {
        /// Its id.
        id: Option<String>,
        /// What kind of device it is.
        kind as "type": Option<AgentType>,
        /// Its name.
        name: Option<String>,
    }
}

model! {
    /// Points to a person.
    pub struct PersonRef {
        /// The id.
        id: Option<String>,
        /// The name.
        name: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use crate::Record;

    use super::*;

    #[test]
    fn alerts_are_read_with_an_empty_agent_and_a_time_without_zone() {
        let pua = r#"{"id":"e7a1c2d3-4b5c-4d6e-8f70-8192a3b4c5d6","allowedActions":["acknowledge","cleanPua","authPua"],"category":"pua","description":"PUA detected: 'NetTool' at 'C:\\Tools\\nt.exe'","groupKey":"MSxFdmVudDo6RW5kcG9pbnQ6OlB1YSw3","managedAgent":{"id":"5b0c8f1e-4d3a-4b6c-8f21-0a9b8c7d6e5f","type":"server"},"person":{"id":"ab12cd34-ef56-4789-90ab-cdef12345678"},"product":"server","raisedAt":"2025-02-03T06:12:09.417","severity":"medium","tenant":{"id":"7d1e2c34-9a0b-4c5d-8e6f-102938475601","name":"Nordlicht AG"},"type":"Event::Endpoint::CorePuaDetection","extra":[1,2]}"#;
        let alert: Record<Alert> = serde_json::from_str(pua).unwrap();
        assert_eq!(alert.severity, Some(Severity::Medium));
        assert_eq!(alert.category, Some(Category::Pua));
        assert_eq!(alert.allowed_actions[1], AlertAction::CleanPua);
        let raised = alert.raised_at.as_ref().unwrap();
        assert_eq!(raised.as_str(), "2025-02-03T06:12:09.417");
        assert_eq!(
            raised.timestamp().unwrap().to_string(),
            "2025-02-03T06:12:09.417Z"
        );
        assert_eq!(serde_json::to_string(&alert).unwrap(), pua);

        let firewall = r#"{"id":"12f0e1d2-c3b4-45a6-9788-90a1b2c3d4e5","allowedActions":["acknowledge"],"category":"connectivity","description":"Firewall FW-KIEL lost connection to Sophos Central","managedAgent":{},"product":"firewall","raisedAt":"2025-02-03T05:00:00.000Z","severity":"high","tenant":{"id":"7d1e2c34-9a0b-4c5d-8e6f-102938475601"},"type":"Event::Firewall::LostConnection"}"#;
        let alert: Record<Alert> = serde_json::from_str(firewall).unwrap();
        assert!(
            alert
                .managed_agent
                .as_ref()
                .is_some_and(|agent| agent.id.is_none())
        );
        assert_eq!(alert.product, Some(Product::Firewall));
    }

    #[test]
    fn severities_that_do_not_exist_are_refused_with_the_list() {
        let error = Severity::parse("critical").unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown alert severity `critical` (known: low, medium, high)"
        );
        assert_eq!(Severity::parse("HIGH").unwrap(), Severity::High);
        assert_eq!(
            Product::parse("email-gateway").unwrap(),
            Product::EmailGateway
        );
        assert!(AlertAction::parse("clearPua").is_err());
    }
}
