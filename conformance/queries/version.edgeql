# name: version
# result: one str
select sys::get_version_as_str()
