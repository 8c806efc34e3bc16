# name: setting
# result: optional str
# unproven: reading the configuration was not recorded
select <str>assert_single(cfg::Config).query_execution_timeout
