// Neo4j trusts the tokens of OktaIssuer default: https://acme.okta.com/oauth2/aus1
// Neo4j trusts the tokens of OktaIssuer partner: https://partner.okta.com/oauth2/aus2
// Run against the system database as an administrator. New roles may do nothing: GRANT them what they need.
CREATE ROLE `etl_ops` IF NOT EXISTS;
CREATE ROLE `neo4j_publisher` IF NOT EXISTS;
// Accounts may also ask for groups that begin with "team_": each is the role of its name, and has to exist.
