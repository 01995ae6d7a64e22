"""Microsoft Entra ID and Microsoft Graph."""
